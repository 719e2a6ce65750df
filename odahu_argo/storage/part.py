"""A large object on its way to a file, and its parts, which come side by side."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from concurrent.futures import CancelledError
from pathlib import Path
from typing import Protocol

from odahu_argo.storage.base import OnBytes
from odahu_argo.storage.request import Asked, Broken
from odahu_argo.storage.shared_file import SharedFile

_PASSING = (408, 429, 500, 502, 503, 504)


class Unusable(Exception):
    """The server's answer is not the range that was asked for."""


class AnotherWay(Exception):
    """What is still to come of a part has to be asked for anew, which is then done in another way."""


class Whole:
    """What the parts of an object of so many bytes have in common."""

    def __init__(self, size: int, target: Path, on_bytes: OnBytes) -> None:
        """Begin to write the file, which raises `OSError`; `on_bytes` is told of each piece."""
        self.size = size
        self.file = SharedFile(target)
        self.moved = 0
        self._on_bytes = on_bytes
        self._etag: str | None = None
        self._stopped = threading.Event()
        self._lock = threading.Lock()

    def stop(self) -> None:
        """Let no part go on."""
        self._stopped.set()

    @property
    def is_stopped(self) -> bool:
        """Whether it was."""
        return self._stopped.is_set()

    def pause(self, seconds: float) -> None:
        """Wait so long, or until it is stopped."""
        self._stopped.wait(seconds)

    def is_of_one_version(self, etag: str) -> bool:
        """Whether this is the tag of the version that the parts before had, or the first."""
        with self._lock:
            self._etag = self._etag or etag
        return etag == self._etag

    def tell(self, count: int) -> None:
        """So many bytes more have been written."""
        with self._lock:
            self.moved += count
        self._on_bytes(count)


class Part:
    """The bytes of an object that are still to come of those from `begin` to before `end`."""

    def __init__(self, whole: Whole, begin: int, end: int) -> None:
        """All of them."""
        self.begin, self.end = begin, end
        self.whole = whole

    @property
    def span(self) -> str:
        """As HTTP names them."""
        return f"{self.begin}-{self.end - 1}"

    def check(self, status: int, headers: Mapping[str, str]) -> None:
        """See that this is the head of their answer, and of the same version of the object as the other parts'.

        The headers are known by names in small letters.

        Raises:
            Broken: it is a failure that may pass.
            Unusable: it is something else.
        """
        if status in _PASSING:
            raise Broken(status, "the server answered")
        if headers.get("content-range") != f"bytes {self.span}/{self.whole.size}":
            raise Unusable(f"the server answered {status} without the range")
        etag = headers.get("etag", "")
        is_alone = self.end - self.begin == self.whole.size
        if not self.whole.is_of_one_version(etag) or not (etag or is_alone):
            raise Unusable("the object may have been changed meanwhile")

    def write(self, piece: memoryview) -> None:
        """The next bytes to their place; raises `Unusable` where that would be too many, and as `went_on` does."""
        if len(piece) > self.end - self.begin:
            raise Unusable("more came than was asked for")
        self.require_going()
        self.whole.file.write(piece, self.begin)
        self.went_on(len(piece))

    def went_on(self, count: int) -> None:
        """So many bytes have been written; raises what `on_bytes` does, and as `require_going`."""
        self.begin += count
        self.require_going()
        self.whole.tell(count)

    def require_going(self) -> None:
        """Raise `CancelledError` where the whole was stopped."""
        if self.whole.is_stopped:
            raise CancelledError


class Bringing(Protocol):
    """A way to bring parts, from several threads at once."""

    def bring(self, asked: Asked, part: Part) -> None:
        """Ask for the part and write it.

        Raises:
            Broken: there is no answer, or not all of it; the part tells what is still to come.
            AnotherWay: this one is not for the file.
            Unusable: the answer is another.
            CancelledError: the whole was stopped: within a second, but that a connection or the rest of a head is waited for.
            OSError: the file cannot be written.
        """
