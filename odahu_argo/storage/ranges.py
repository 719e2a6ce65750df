"""A large object in ranges by urllib3, several at once, each written to its place in the file."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import CancelledError, Future
from contextlib import suppress
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


@dataclass(slots=True)
class _Range:
    """The bytes of an object that are still to come."""

    begin: int
    end: int


class InRanges:
    """An object on its way to a file: the future of its end, and how many bytes have come until now.

    The first range that fails ends the others, and its error is the future's: `Unusable`, `Broken`, urllib3's `HTTPError`,
    an `OSError` of the disk, or what `headers` or `on_bytes` has raised.
    """

    def __init__(
        self,
        server: Server,
        url: str,
        headers: Callable[[], Mapping[str, str]],
        size: int,
        target: Path,
        on_bytes: OnBytes,
    ) -> None:
        """Begin to bring the object at this URL, of so many bytes; `headers` is asked for before each request."""
        self.future: Future[None] = Future()
        self.moved = 0
        self._connections = server.connections
        self._url, self._headers, self._size, self._on_bytes = url, headers, size, on_bytes
        self._file = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)
        self._etag: str | None = None
        self._failure: BaseException | None = None
        self._stopped = threading.Event()
        self._lock = threading.Lock()
        self._answers: set[Any] = set()
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
        """Give up: what waits for a server's bytes waits no longer, what waits for its answer does for `READ_SECONDS`."""
        self._stopped.set()
        for each in self._under_way:
            each.cancel()
        with self._lock:
            answers = list(self._answers)
        for answer in answers:
            with suppress(OSError, ValueError, RuntimeError):
                answer.shutdown()

    def _bring_range(self, wanted: _Range) -> None:
        from urllib3.exceptions import HTTPError

        pauses = iter(PAUSES)
        while wanted.begin < wanted.end:
            try:
                self._ask_for(wanted)
            except (HTTPError, Broken):
                pause = next(pauses, None)
                if pause is None or self._stopped.wait(pause):
                    raise

    def _ask_for(self, wanted: _Range) -> None:
        self._require_going()
        headers = {**self._headers(), "Range": f"bytes={wanted.begin}-{wanted.end - 1}"}
        answer = self._connections.request("GET", self._url, headers=headers, preload_content=False)
        with self._lock:
            self._answers.add(answer)
        try:
            self._require_going()
            self._check(answer, wanted)
            self._take(answer, wanted)
        finally:
            with self._lock:
                self._answers.discard(answer)
            answer.close()

    def _require_going(self) -> None:
        if self._stopped.is_set():
            raise CancelledError

    def _check(self, answer: Any, wanted: _Range) -> None:
        if answer.status in _PASSING:
            raise Broken(f"the server answered {answer.status}")
        if answer.headers.get("Content-Range") != f"bytes {wanted.begin}-{wanted.end - 1}/{self._size}":
            raise Unusable(f"the server answered {answer.status} without the range")
        etag = answer.headers.get("ETag", "")
        with self._lock:
            self._etag = self._etag or etag
        if etag != self._etag or (not etag and self._size > _RANGE):
            raise Unusable("the object may have been changed meanwhile")

    def _take(self, answer: Any, wanted: _Range) -> None:
        while piece := answer.read(_PIECE, decode_content=False):
            self._require_going()
            if len(piece) > wanted.end - wanted.begin:
                raise Unusable("more came than was asked for")
            self._write(piece, wanted.begin)
            wanted.begin += len(piece)
        if wanted.begin < wanted.end:
            raise Broken("the connection broke off")

    def _write(self, piece: bytes, offset: int) -> None:
        view = memoryview(piece)
        while view:
            count = os.pwrite(self._file, view, offset)
            view, offset = view[count:], offset + count
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
