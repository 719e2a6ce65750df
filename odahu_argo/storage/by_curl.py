"""A part of a large object by libcurl, which hands over 16 kB at a time."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

from odahu_argo.storage.part import Part
from odahu_argo.storage.request import Answer, Asked, Broken, tell

_FROM_SOCKET = 512 * 1024
"""Bytes that libcurl takes from a connection at a time, at most."""
_BUFFER = 256 * 1024
"""Bytes that are kept to be written at once."""


class ByCurl:
    """Handles for requests to one server, each used again with its connection when its request has ended well."""

    def __init__(self, new_handle: Callable[[], Any]) -> None:
        """None yet."""
        self._new_handle = new_handle
        self._idle: list[Any] = []

    def bring(self, asked: Asked, part: Part) -> None:
        """Ask for the part and write it, as `Bringing` has it."""
        import pycurl

        handle = self._idle_handle() or self._new_handle()
        taking = _Taking(part)
        tell(handle, asked)
        handle.setopt(handle.BUFFERSIZE, _FROM_SOCKET)
        handle.setopt(handle.NOPROGRESS, 0)
        handle.setopt(handle.XFERINFOFUNCTION, lambda *_: part.whole.is_stopped)
        handle.setopt(handle.HEADERFUNCTION, taking.answer.lines.append)
        handle.setopt(handle.WRITEFUNCTION, taking.take)
        try:
            handle.perform()
        except pycurl.error as error:
            if taking.failure:
                raise taking.failure from None
            part.require_going()
            if taking.has_something:
                taking.finish()
            raise Broken(*error.args[:2]) from None
        finally:
            handle.unsetopt(handle.HEADERFUNCTION)
            handle.unsetopt(handle.WRITEFUNCTION)
            handle.unsetopt(handle.XFERINFOFUNCTION)
        taking.finish()
        self._idle.append(handle)
        if part.begin < part.end:
            raise Broken(0, "the connection broke off")

    def _idle_handle(self) -> Any:
        with suppress(IndexError):
            return self._idle.pop()
        return None


class _Taking:
    """What takes an answer from libcurl, which must not be told of errors by raising them."""

    def __init__(self, part: Part) -> None:
        self.answer = Answer()
        self.failure: BaseException | None = None
        self._part = part
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
            self._part.write(memoryview(piece))
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
            self._part.check(*self.answer.head)
            self._is_checked = True
        self._part.write(self._buffer[: self._filled])
        self._filled = 0
