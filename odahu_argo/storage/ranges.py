"""A large object in ranges by libcurl, several at once, each in a thread and written to its place in the file."""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping
from concurrent.futures import CancelledError, Future
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from odahu_argo.storage.request import Asked, Broken, prepare, read_head
from odahu_argo.storage.server import Server
from odahu_argo.storage.store import OnBytes

_RANGE = 32 * 1024 * 1024
_FROM_SOCKET = 512 * 1024
"""Bytes that libcurl takes from a connection at a time, at most."""
_BUFFER = 256 * 1024
"""Bytes that are kept, of the 16 kB that libcurl hands over at a time, to be written at once."""
PAUSES = (1.0, 2.0, 4.0)
"""Seconds before a range that broke off goes on."""
_PASSING = (408, 429, 500, 502, 503, 504)


class Unusable(Exception):
    """The server's answer is not the range that was asked for."""


@dataclass(slots=True)
class _Range:
    """The bytes of an object that are still to come."""

    begin: int
    end: int


class _Taking:
    """What takes an answer from libcurl, which must not be told of errors by raising them."""

    def __init__(self, coming: InRanges, wanted: _Range) -> None:
        self.lines: list[bytes] = []
        self.failure: BaseException | None = None
        self._coming, self._wanted = coming, wanted
        self._buffer = memoryview(bytearray(_BUFFER))
        self._filled = 0
        self._is_checked = False

    def take(self, piece: bytes) -> int | None:
        """Keep it; None tells libcurl to go on."""
        end = self._filled + len(piece)
        if end <= _BUFFER:
            self._buffer[self._filled : end] = piece
            self._filled = end
            return None
        try:
            self.finish()
            self._coming.write(piece, self._wanted)
        except BaseException as error:
            self.failure = error
            return -1
        return None

    @property
    def has_something(self) -> bool:
        """Whether there is anything to be written."""
        return self._filled > 0

    def finish(self) -> None:
        """Write what was kept, if the head of the answer is right."""
        if not self._is_checked:
            self._coming.check(*read_head(self.lines), self._wanted)
            self._is_checked = True
        self._coming.write(self._buffer[: self._filled], self._wanted)
        self._filled = 0


class InRanges:
    """An object on its way to a file: the future of its end, and how many bytes have come until now.

    The first range that fails ends the others, and its error is the future's: `Unusable`, `Broken`, an `OSError` of the
    disk, or what the server's `authorize` or `on_bytes` has raised.
    """

    is_checked = False

    def __init__(
        self,
        server: Server,
        path: str,
        headers: Mapping[str, str],
        size: int,
        target: Path,
        on_bytes: OnBytes,
    ) -> None:
        """Begin to bring the object at this path, of so many bytes, asking with these headers."""
        self.future: Future[None] = Future()
        self.moved = 0
        self._server, self._on_bytes = server, on_bytes
        self._url, self._headers, self._size = server.url + path, headers, size
        self._file = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)
        self._etag: str | None = None
        self._failure: BaseException | None = None
        self._stopped = threading.Event()
        self._lock = threading.Lock()
        self._under_way: list[Future[None]] = []
        ranges = [_Range(begin, min(begin + _RANGE, size)) for begin in range(0, size, _RANGE)]
        self._left = len(ranges)
        try:
            for each in ranges:
                self._under_way.append(one := server.threads.submit(self._bring_range, each))
                one.add_done_callback(self._one_has_ended)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Give up; the future ends within a second."""
        self._stopped.set()
        for each in self._under_way:
            each.cancel()

    def _bring_range(self, wanted: _Range) -> None:
        pauses = iter(PAUSES)
        while wanted.begin < wanted.end:
            try:
                self._ask_for(wanted)
            except Broken:
                pause = next(pauses, None)
                if pause is None:
                    raise
                self._stopped.wait(pause)

    def _ask_for(self, wanted: _Range) -> None:
        import pycurl

        self._require_going()
        handle = self._idle_handle() or self._server.handle()
        taking = _Taking(self, wanted)
        span = f"{wanted.begin}-{wanted.end - 1}"
        prepare(Asked(handle, "GET", self._url, f"bytes={span}"), self._server.authorize, self._headers)
        handle.setopt(handle.RANGE, span)
        handle.setopt(handle.BUFFERSIZE, _FROM_SOCKET)
        handle.setopt(handle.NOPROGRESS, 0)
        handle.setopt(handle.XFERINFOFUNCTION, lambda *_: self._stopped.is_set())
        handle.setopt(handle.HEADERFUNCTION, taking.lines.append)
        handle.setopt(handle.WRITEFUNCTION, taking.take)
        try:
            handle.perform()
        except pycurl.error as error:
            if taking.failure:
                raise taking.failure from None
            self._require_going()
            if taking.has_something:
                taking.finish()
            raise Broken(*error.args[:2]) from None
        finally:
            handle.unsetopt(handle.HEADERFUNCTION)
            handle.unsetopt(handle.WRITEFUNCTION)
            handle.unsetopt(handle.XFERINFOFUNCTION)
        taking.finish()
        self._server.idle.append(handle)
        if wanted.begin < wanted.end:
            raise Broken(0, "the connection broke off")

    def _idle_handle(self) -> Any:
        with suppress(IndexError):
            return self._server.idle.pop()
        return None

    def _require_going(self) -> None:
        if self._stopped.is_set():
            raise CancelledError

    def check(self, status: int, headers: Mapping[str, str], wanted: _Range) -> None:
        """See that this is the head of the range's answer, and of the same version of the object as the others'."""
        if status in _PASSING:
            raise Broken(status, "the server answered")
        if headers.get("content-range") != f"bytes {wanted.begin}-{wanted.end - 1}/{self._size}":
            raise Unusable(f"the server answered {status} without the range")
        etag = headers.get("etag", "")
        with self._lock:
            self._etag = self._etag or etag
        if etag != self._etag or (not etag and self._size > _RANGE):
            raise Unusable("the object may have been changed meanwhile")

    def write(self, piece: bytes | memoryview, wanted: _Range) -> None:
        """The next bytes of the range to their place."""
        self._require_going()
        if len(piece) > wanted.end - wanted.begin:
            raise Unusable("more came than was asked for")
        view = memoryview(piece)
        while view:
            count = os.pwrite(self._file, view, wanted.begin)
            view, wanted.begin = view[count:], wanted.begin + count
        with self._lock:
            self.moved += len(piece)
        self._on_bytes(len(piece))

    def _one_has_ended(self, one: Future[None]) -> None:
        failure = CancelledError() if one.cancelled() else one.exception()
        with self._lock:
            self._left -= 1
            is_last = not self._left
            is_first_failure = failure is not None and self._failure is None
            self._failure = self._failure or failure
        if is_first_failure:
            self.stop()
        if is_last:
            self._end()

    def _end(self) -> None:
        try:
            os.close(self._file)
        except OSError as error:
            self._failure = self._failure or error
        if self._failure:
            self.future.set_exception(self._failure)
        else:
            self.future.set_result(None)
