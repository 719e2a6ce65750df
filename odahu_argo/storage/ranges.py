"""A large object in ranges, several at once, each in a thread and written to its place in the file."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from concurrent.futures import CancelledError, Future
from pathlib import Path

from odahu_argo.storage.base import OnBytes
from odahu_argo.storage.part import AnotherWay, Part, Whole
from odahu_argo.storage.request import Asked, Broken, let_in
from odahu_argo.storage.server import Server

_RANGE = 32 * 1024 * 1024
PAUSES = (1.0, 2.0, 4.0)
"""Seconds before a range that broke off goes on."""


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
        self._way, self._authorize = server.large, server.authorize
        self._url, self._headers = server.url + path, headers
        self._failure: BaseException | None = None
        self._lock = threading.Lock()
        self._under_way: list[Future[None]] = []
        self._whole = Whole(size, target, on_bytes)
        parts = [Part(self._whole, begin, min(begin + _RANGE, size)) for begin in range(0, size, _RANGE)]
        self._left = len(parts)
        try:
            for part in parts:
                self._under_way.append(one := server.threads.submit(self._bring, part))
                one.add_done_callback(self._one_has_ended)
        except BaseException:
            self.stop()
            raise

    @property
    def moved(self) -> int:
        """Bytes that are in the file."""
        return self._whole.moved

    def stop(self) -> None:
        """Give up; the future ends within a second, or with a connection or an answer's head that is waited for."""
        self._whole.stop()
        for each in self._under_way:
            each.cancel()

    def _bring(self, part: Part) -> None:
        pauses = iter(PAUSES)
        while part.begin < part.end:
            part.require_going()
            asked = Asked("GET", self._url, {**self._headers, "Range": f"bytes={part.span}"})
            try:
                self._way.bring(let_in(asked, self._authorize), part)
            except AnotherWay:
                continue
            except Broken:
                pause = next(pauses, None)
                if pause is None:
                    raise
                self._whole.pause(pause)

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
            self._whole.file.close()
        except OSError as error:
            self._failure = self._failure or error
        if self._failure:
            self.future.set_exception(self._failure)
        else:
            self.future.set_result(None)
