"""A large object in ranges by urllib3, several at once, each written to its place in the file."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import CancelledError, Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from odahu_argo.storage.server import Server
from odahu_argo.storage.store import OnBytes

_RANGE = 32 * 1024 * 1024
_PIECE = 512 * 1024
PAUSES = (1.0, 2.0, 4.0)
"""Seconds before a range that broke off goes on."""
_PASSING = (408, 429, 500, 502, 503, 504)


class Unusable(Exception):
    """The server's answer is not the range that was asked for."""


class Broken(Exception):
    """The server has failed in a way that may pass."""


def start_ranges(
    server: Server, url: str, headers: Callable[[], Mapping[str, str]], size: int, target: Path, on_bytes: OnBytes
) -> InRanges:
    """Begin to write the object at this URL, of so many bytes, to the file; `headers` is asked for before each request."""
    arriving = InRanges(on_bytes, os.open(target, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666))
    ranges = [_Range(begin, min(begin + _RANGE, size), size) for begin in range(0, size, _RANGE)]
    arriving.begin([server.threads.submit(_bring, server.connections, url, headers, each, arriving) for each in ranges])
    return arriving


@dataclass(slots=True)
class _Range:
    """The bytes of an object of this `size` that are still to come."""

    begin: int
    end: int
    size: int


class InRanges:
    """An object on its way: the future of its end, and the bytes until now. The first range that fails ends the others."""

    def __init__(self, on_bytes: OnBytes, file: int) -> None:
        """Nothing has come yet; `file` is closed at the end."""
        self.future: Future[None] = Future()
        self.moved = 0
        self.etag: str | None = None
        self.stopped = threading.Event()
        self._on_bytes = on_bytes
        self._file = file
        self._lock = threading.Lock()
        self._under_way: list[Future[None]] = []
        self._left = 0
        self._failure: BaseException | None = None

    def begin(self, under_way: list[Future[None]]) -> None:
        """Wait for all of these."""
        self._under_way, self._left = under_way, len(under_way)
        for each in under_way:
            each.add_done_callback(self._one_has_ended)

    def write(self, piece: bytes, offset: int) -> None:
        """Put these bytes in their place."""
        view = memoryview(piece)
        while view:
            count = os.pwrite(self._file, view, offset)
            view, offset = view[count:], offset + count
        with self._lock:
            self.moved += len(piece)
        self._on_bytes(len(piece))

    def is_of(self, etag: str) -> bool:
        """Whether this is the version of the object that the other ranges are of."""
        with self._lock:
            self.etag = etag if self.etag is None else self.etag
            return self.etag == etag

    def stop(self) -> None:
        """Give up."""
        self.stopped.set()
        for each in self._under_way:
            each.cancel()

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
            os.close(self._file)
            self.future.set_exception(self._failure) if self._failure else self.future.set_result(None)


def _bring(
    connections: Any, url: str, headers: Callable[[], Mapping[str, str]], wanted: _Range, arriving: InRanges
) -> None:
    from urllib3.exceptions import HTTPError

    pauses = iter(PAUSES)
    while wanted.begin < wanted.end:
        try:
            asked = {**headers(), "Range": f"bytes={wanted.begin}-{wanted.end - 1}"}
            answer = connections.request("GET", url, headers=asked, preload_content=False)
            try:
                _take(answer, wanted, arriving)
            finally:
                answer.close()
        except (HTTPError, Broken):
            pause = next(pauses, None)
            if pause is None or arriving.stopped.wait(pause):
                raise


def _take(answer: Any, wanted: _Range, arriving: InRanges) -> None:
    if answer.status in _PASSING:
        raise Broken(f"the server answered {answer.status}")
    if answer.headers.get("Content-Range") != f"bytes {wanted.begin}-{wanted.end - 1}/{wanted.size}":
        raise Unusable(f"the server answered {answer.status} without the range")
    if not arriving.is_of(answer.headers.get("ETag", "")):
        raise Unusable("the object was changed meanwhile")
    while piece := answer.read(_PIECE, decode_content=False):
        if arriving.stopped.is_set():
            raise CancelledError
        arriving.write(piece, wanted.begin)
        wanted.begin += len(piece)
    if wanted.begin < wanted.end:
        raise Broken("the connection broke off")
