"""The bytes that a program prints, as lines of plain text."""

from __future__ import annotations

import codecs
import re
import time

LONGEST = 64 * 1024
"""Characters. A longer line is cut into pieces of this length."""
_BAR_EVERY = 1.0
"""Seconds between two states of a progress bar that are passed on."""
_ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\-_])")


def plain(text: str) -> str:
    """The text without terminal escape sequences; control characters other than the tab become `?`."""
    text = _ESCAPES.sub("", text)
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c == "\t" else "?" for c in text)


class Lines:
    """Cuts a stream into lines, at `\\n`, `\\r\\n` and `\\r`, whatever the chunks it comes in.

    Bytes that are no UTF-8 become the replacement character. What a progress bar overwrites by `\\r` is passed on at most
    once a second; its last state always is.
    """

    def __init__(self) -> None:
        self._decode = codecs.getincrementaldecoder("utf-8")("replace").decode
        self._rest = ""
        self._bar_at = float("-inf")

    def feed(self, chunk: bytes) -> list[str]:
        """The lines that end within this chunk."""
        return self._cut(self._decode(chunk))

    def end(self) -> list[str]:
        """What is left when the stream has ended."""
        lines = self._cut(self._decode(b"", True))
        last = self._rest.removesuffix("\r").rpartition("\r")[2]
        self._rest = ""
        return [*lines, plain(last)] if last else lines

    def _cut(self, text: str) -> list[str]:
        *whole, self._rest = (self._rest + text).split("\n")
        lines = [plain(line.removesuffix("\r").rpartition("\r")[2]) for line in whole]
        lines += self._bar()
        while len(self._rest) > LONGEST:
            lines.append(plain(self._rest[:LONGEST]))
            self._rest = self._rest[LONGEST:]
        return lines

    def _bar(self) -> list[str]:
        """The newest whole state of a progress bar, unless one was passed on just now; older states are dropped."""
        states, _, growing = self._rest.rpartition("\r")
        newest = states.rpartition("\r")[2]
        if not newest or not growing:
            return []
        if time.monotonic() - self._bar_at < _BAR_EVERY:
            self._rest = newest + "\r" + growing
            return []
        self._bar_at = time.monotonic()
        self._rest = growing
        return [plain(newest)]


def without_kind(step: str, text: str) -> str:
    """Steps begin their own lines with their kind, which the step's name before it says already."""
    return text.removeprefix(f"{step.partition('-')[0]}: ")
