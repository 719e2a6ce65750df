"""The logs of a training, as far as they are written, or as they grow."""

from __future__ import annotations

import codecs
import re
import time
from collections.abc import Iterator
from pathlib import Path
from threading import Event

from odahu_argo.errors import UserError
from odahu_argo.local.home import Home
from odahu_argo.local.queries import get_training
from odahu_argo.validation import suggest

MAX_LINE_LENGTH = 64 * 1024
"""Characters. A longer line is cut into pieces of this length."""
_BAR_EVERY = 1.0
"""Seconds between two states of a progress bar that are passed on."""
_ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\-_])")


def plain_text(text: str) -> str:
    """The text without terminal escape sequences; control characters other than the tab become `?`."""
    text = _ESCAPES.sub("", text)
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c == "\t" else "?" for c in text)


class LineSplitter:
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
        return [*lines, plain_text(last)] if last else lines

    def _cut(self, text: str) -> list[str]:
        *whole, self._rest = (self._rest + text).split("\n")
        lines = [plain_text(line.removesuffix("\r").rpartition("\r")[2]) for line in whole]
        lines += self._bar()
        while len(self._rest) > MAX_LINE_LENGTH:
            lines.append(plain_text(self._rest[:MAX_LINE_LENGTH]))
            self._rest = self._rest[MAX_LINE_LENGTH:]
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
        return [plain_text(newest)]


def strip_step_prefix(step: str, text: str) -> str:
    """Steps begin their own lines with their kind, which the step's name before it says already."""
    return text.removeprefix(f"{step.partition('-')[0]}: ")


_LOOK_EVERY = 0.3
"""Seconds."""


def read_logs(
    home: Home, training_id: str, step: str | None, follow: bool, is_over: Event | None = None
) -> Iterator[tuple[str, str]]:
    """Pairs of step and line, in the order of the steps; with `follow` then each new line, until the training has ended.

    Whoever reads in a thread sets `is_over` to end it early.

    Raises:
        UserError: there is no such training or step.
    """
    training = get_training(home, training_id)
    names = [each.name for each in training.steps]
    if step is not None and step not in names:
        raise UserError(f"training {training_id!r} has no step {step!r}", hint=suggest(step, names))
    tails = [_LogTail(name, home.run(training_id).log(name)) for name in ([step] if step else names)]
    is_over = is_over or Event()
    while not is_over.is_set():
        is_last = not follow or not get_training(home, training_id).is_live
        for tail in tails:
            yield from tail.new_lines(is_last)
        if is_last:
            return
        is_over.wait(_LOOK_EVERY)


class _LogTail:
    """A file that grows: where we are in it."""

    def __init__(self, name: str, file: Path) -> None:
        self._name = name
        self._file = file
        self._offset = 0

    def new_lines(self, with_unfinished: bool) -> Iterator[tuple[str, str]]:
        try:
            with self._file.open("rb") as stream:
                stream.seek(self._offset)
                for line in stream:
                    if not (line.endswith(b"\n") or with_unfinished):
                        return
                    self._offset += len(line)
                    yield self._name, line.decode("utf-8", "replace").rstrip("\n")
        except FileNotFoundError:
            return
