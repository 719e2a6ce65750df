"""A part of a large object by http.client, its bytes moved from connection to file by the kernel (Linux: splice).

They are copied once, where a program copies them twice at least. That is for what is not encrypted, as within a cluster.
"""

from __future__ import annotations

import errno
import os
import select
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.client import HTTPConnection, HTTPException, HTTPResponse
from urllib.parse import urlsplit

from odahu_argo.storage.by_curl import ByCurl
from odahu_argo.storage.part import Part, Unusable
from odahu_argo.storage.request import Asked, Broken, Patience

_STOP_SECONDS = 0.5
"""After which it is seen that there is to be no more."""
_PIPE = 256 * 1024
"""Bytes on their way between connection and file. Four times as many are slower: they no longer fit a processor's cache."""


class ByKernel:
    """Connections to one unencrypted server, each used again when its request has ended well."""

    def __init__(self, url: str, patience: Patience, otherwise: ByCurl) -> None:
        """None yet; where the kernel does not know how, parts come otherwise."""
        self._server = urlsplit(url)
        self._patience = patience
        self._otherwise = otherwise
        self._is_able = sys.platform == "linux"
        self._idle: list[HTTPConnection] = []

    def bring(self, asked: Asked, part: Part) -> None:
        """Ask for the part and write it, as `Bringing` has it."""
        if not self._is_able:
            self._otherwise.bring(asked, part)
            return
        try:
            with self._connected() as connection:
                self._pour(connection, asked, part)
        except OSError as error:
            if error.errno != errno.EINVAL:
                raise
            self._is_able = False
            raise Broken(0, "the kernel cannot move that to this file") from None

    @contextmanager
    def _connected(self) -> Iterator[HTTPConnection]:
        connection: HTTPConnection | None = None
        with suppress(IndexError):
            connection = self._idle.pop()
        if not connection:
            host, port = self._server.hostname or "", self._server.port
            connection = HTTPConnection(host, port, timeout=self._patience.to_connect)
            with _breaking():
                connection.connect()
        try:
            yield connection
        except BaseException:
            connection.close()
            raise
        if connection.sock:
            self._idle.append(connection)

    def _pour(self, connection: HTTPConnection, asked: Asked, part: Part) -> None:
        source = connection.sock.fileno()
        with _breaking():
            path = urlsplit(asked.url)._replace(scheme="", netloc="").geturl()
            connection.request(asked.method, path, headers=dict(asked.headers))
        self._wait_for(source, part)
        with _breaking():
            answer = connection.getresponse()
        with answer, _pipe() as (out, into):
            part.check(answer.status, {name.lower(): value for name, value in answer.headers.items()})
            left = answer.length
            if left is None or left > part.end - part.begin:
                raise Unusable("more may come than was asked for")
            count = _first(answer, into)
            while count:
                part.whole.file.write_from_pipe(out, count, part.begin)
                part.went_on(count)
                left -= count
                count = self._next(source, into, left, part) if left else 0
        if part.begin < part.end:
            raise Broken(0, "the connection broke off")

    def _next(self, source: int, into: int, left: int, part: Part) -> int:
        while True:
            try:
                with _breaking():
                    return os.splice(source, into, min(left, _PIPE))
            except BlockingIOError:
                self._wait_for(source, part)

    def _wait_for(self, source: int, part: Part) -> None:
        ready = select.poll()
        ready.register(source, select.POLLIN)
        for _ in range(int(self._patience.in_silence / _STOP_SECONDS)):
            part.require_going()
            if ready.poll(_STOP_SECONDS * 1000):
                return
        raise Broken(0, "the server has fallen silent")


def _first(answer: HTTPResponse, into: int) -> int:
    """Move what was read together with the head."""
    with _breaking():
        return os.write(into, answer.read(len(answer.peek())))


@contextmanager
def _pipe() -> Iterator[tuple[int, int]]:
    from fcntl import F_SETPIPE_SZ, fcntl

    out, into = os.pipe()
    try:
        with suppress(OSError):  # whose memory for pipes is used up has one of 64 KiB
            fcntl(into, F_SETPIPE_SZ, _PIPE)
        yield out, into
    finally:
        os.close(out)
        os.close(into)


@contextmanager
def _breaking() -> Iterator[None]:
    """Errors of a connection are `Broken`; not that nothing has come yet, nor that the kernel does not know how."""
    try:
        yield
    except HTTPException as error:
        raise Broken(0, str(error) or type(error).__name__) from None
    except OSError as error:
        if error.errno in (errno.EAGAIN, errno.EINVAL):
            raise
        raise Broken(error.errno or 0, str(error)) from None
