"""Step logs: split output into lines, read logs, and follow logs while they grow."""

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
"""Characters. Longer lines are split."""
_PROGRESS_BAR_INTERVAL = 1.0
_FOLLOW_INTERVAL = 0.3
"""Seconds."""
_ESCAPE_SEQUENCE = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\-_])")


def plain_text(text: str) -> str:
    """Remove terminal escape sequences and replace control characters other than tabs by `?`."""
    text = _ESCAPE_SEQUENCE.sub("", text)
    if text.isprintable():
        return text
    return "".join(character if character.isprintable() or character == "\t" else "?" for character in text)


class LineSplitter:
    """Incremental splitter of a byte stream into plain lines, at `\\n`, `\\r\\n` and `\\r`.

    Invalid UTF-8 becomes the replacement character. Text that a progress bar overwrites by `\\r` is returned at most once
    a second; the last state of the bar is always returned.
    """

    def __init__(self) -> None:
        self._decode = codecs.getincrementaldecoder("utf-8")("replace").decode
        self._pending = ""
        self._last_progress_bar = float("-inf")

    def feed(self, chunk: bytes) -> list[str]:
        """Add a chunk and return the lines that it completes."""
        return self._split(self._decode(chunk))

    def end(self) -> list[str]:
        """Return the remaining lines at the end of the stream."""
        lines = self._split(self._decode(b"", True))
        last = _visible(self._pending)
        self._pending = ""
        return [*lines, plain_text(last)] if last else lines

    def _split(self, text: str) -> list[str]:
        *complete, self._pending = (self._pending + text).split("\n")
        lines = [plain_text(_visible(line)) for line in complete]
        lines += self._progress_bar()
        while len(self._pending) > MAX_LINE_LENGTH:
            lines.append(plain_text(self._pending[:MAX_LINE_LENGTH]))
            self._pending = self._pending[MAX_LINE_LENGTH:]
        return lines

    def _progress_bar(self) -> list[str]:
        """Return the newest complete state of a progress bar unless one was returned less than a second ago."""
        states, _, incomplete = self._pending.rpartition("\r")
        newest = states.rpartition("\r")[2]
        if not newest or not incomplete:
            return []
        if time.monotonic() - self._last_progress_bar < _PROGRESS_BAR_INTERVAL:
            self._pending = newest + "\r" + incomplete
            return []
        self._last_progress_bar = time.monotonic()
        self._pending = incomplete
        return [plain_text(newest)]


def _visible(line: str) -> str:
    """Return the text that a terminal shows for a line with carriage returns."""
    return line.removesuffix("\r").rpartition("\r")[2]


def strip_step_prefix(step: str, text: str) -> str:
    """Remove the prefix `<kind>: ` that a step writes before its own messages and that repeats the step's name."""
    return text.removeprefix(f"{step.partition('-')[0]}: ")


def read_logs(
    home: Home, training_id: str, step: str | None, follow: bool, cancelled: Event | None = None
) -> Iterator[tuple[str, str]]:
    """Yield pairs of step name and line, ordered by step. With `follow`, yield new lines until the training ends.

    Set `cancelled` from another thread to end the iteration early.

    Raises:
        UserError: the training or the step does not exist.
    """
    names = [record.name for record in get_training(home, training_id).steps]
    if step is not None and step not in names:
        raise UserError(f"training {training_id!r} has no step {step!r}", hint=suggest(step, names))
    logs = [_GrowingLog(name, home.run(training_id).log(name)) for name in ([step] if step else names)]
    cancelled = cancelled or Event()
    while not cancelled.is_set():
        is_complete = not follow or not get_training(home, training_id).is_live
        for log in logs:
            yield from log.new_lines(is_complete)
        if is_complete:
            return
        cancelled.wait(_FOLLOW_INTERVAL)


class _GrowingLog:
    """Log file that is read in increments."""

    def __init__(self, step: str, file: Path) -> None:
        self._step = step
        self._file = file
        self._offset = 0

    def new_lines(self, include_unterminated: bool) -> Iterator[tuple[str, str]]:
        try:
            with self._file.open("rb") as stream:
                stream.seek(self._offset)
                for line in stream:
                    if not (line.endswith(b"\n") or include_unterminated):
                        return
                    self._offset += len(line)
                    yield self._step, line.decode("utf-8", "replace").rstrip("\n")
        except FileNotFoundError:
            return
