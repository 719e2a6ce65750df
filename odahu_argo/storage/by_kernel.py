"""A part of a large object by http.client, its bytes moved from connection to file by the kernel (Linux: splice).

They are copied once, where a program copies them twice at least. That is for what is not encrypted, as within a cluster.
"""

from __future__ import annotations

import errno
import os
import select
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.client import HTTP_PORT, HTTPConnection, HTTPException, HTTPResponse
from urllib.parse import urlsplit

from odahu_argo.storage.by_curl import ByCurl
from odahu_argo.storage.part import AnotherWay, Part, Unusable
from odahu_argo.storage.request import USER_AGENT, Asked, Broken, Patience

_STOP_SECONDS = 0.5
"""After which it is seen that there is to be no more."""
_PIPE = 256 * 1024
"""Bytes on their way between connection and file. Four times as many are slower: they no longer fit a processor's cache."""


_NOT_HERE = (errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP, errno.EPERM)
"""What `splice` fails with where a kernel, a sandbox or the system of a file does not have it."""


class _CannotPour(Exception):
    """The kernel does not move such bytes to such a file."""


class ByKernel:
    """Connections to one unencrypted server, each used again when its request has ended well."""

    def __init__(self, url: str, patience: Patience, otherwise: ByCurl) -> None:
        """None yet; where the kernel cannot do that, parts come otherwise."""
        server = urlsplit(url)
        self._host, self._port = server.hostname or "", server.port or HTTP_PORT
        self._origin = f"{server.scheme}://{server.netloc}"
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
        except _CannotPour:
            self._is_able = False
            raise AnotherWay from None

    @contextmanager
    def _connected(self) -> Iterator[HTTPConnection]:
        connection = self._idle_connection() or self._new_connection()
        try:
            yield connection
        except BaseException:
            connection.close()
            raise
        if connection.sock:
            self._idle.append(connection)

    def _idle_connection(self) -> HTTPConnection | None:
        with suppress(IndexError):
            while True:
                connection = self._idle.pop()
                if not _has_something(connection.sock, 0):
                    return connection
                connection.close()  # the server has
        return None

    def _new_connection(self) -> HTTPConnection:
        connection = HTTPConnection(self._host, self._port, timeout=self._patience.to_connect)
        with _breaking():
            connection.connect()
        return connection

    def _pour(self, connection: HTTPConnection, asked: Asked, part: Part) -> None:
        source: socket.socket = connection.sock
        answer = self._ask(connection, source, asked, part)
        with answer, _pipe() as (out, into):
            part.check(answer.status, {name.lower(): value.strip() for name, value in answer.headers.items()})
            left = answer.length
            if left is None or left > part.end - part.begin:
                raise Unusable("more may come than was asked for")
            with _breaking():
                first = answer.read(len(answer.peek()))  # what came together with the head
            part.write(memoryview(first))
            left -= len(first)
            while left and (count := self._next(source, into, left, part)):
                with _by_splice():
                    part.whole.file.write_from_pipe(out, count, part.begin)
                part.went_on(count)
                left -= count
        if part.begin < part.end:
            raise Broken(0, "the connection broke off")

    def _ask(self, connection: HTTPConnection, source: socket.socket, asked: Asked, part: Part) -> HTTPResponse:
        """The answer's head. After it, reading from the connection does not wait."""
        with _breaking():
            source.settimeout(self._patience.to_connect)
            headers = {**asked.headers, "User-Agent": USER_AGENT}
            connection.request(asked.method, asked.url[len(self._origin) :], headers=headers)
        self._wait_for(source, part)
        with _breaking():
            answer = connection.getresponse()
            source.settimeout(0)
        return answer

    def _next(self, source: socket.socket, into: int, left: int, part: Part) -> int:
        while True:
            with suppress(BlockingIOError), _breaking(), _by_splice():
                return os.splice(source.fileno(), into, min(left, _PIPE))
            self._wait_for(source, part)

    def _wait_for(self, source: socket.socket, part: Part) -> None:
        for _ in range(int(self._patience.in_silence / _STOP_SECONDS)):
            part.require_going()
            if _has_something(source, _STOP_SECONDS):
                return
        raise Broken(0, "the server has fallen silent")


def _has_something(source: socket.socket, seconds: float) -> bool:
    """Whether something comes, or the end, in so many seconds."""
    ready = select.poll()
    ready.register(source, select.POLLIN)
    return bool(ready.poll(seconds * 1000))


@contextmanager
def _pipe() -> Iterator[tuple[int, int]]:
    from fcntl import F_SETPIPE_SZ, fcntl

    out, into = os.pipe()
    try:
        with suppress(OSError):  # smaller ones do, too, where a user's memory for pipes is used up
            fcntl(into, F_SETPIPE_SZ, _PIPE)
        yield out, into
    finally:
        os.close(out)
        os.close(into)


@contextmanager
def _by_splice() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in _NOT_HERE:
            raise _CannotPour from None
        raise


@contextmanager
def _breaking() -> Iterator[None]:
    """Errors of a connection are `Broken`, without what was sent, which may be secret; not that nothing has come yet."""
    try:
        yield
    except BlockingIOError:
        raise
    except OSError as error:
        raise Broken(0, error.strerror or type(error).__name__) from None
    except (HTTPException, ValueError) as error:
        raise Broken(0, type(error).__name__) from None
