"""The end of a log, however long it is and however slowly it comes."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from time import monotonic

from odahu_argo.errors import OdahuArgoError
from odahu_argo.page.model import Log, LogLine

MOST_LINES = 1000
PATIENCE = 8.0
"""Seconds for which lines are read."""


def tail(lines: Iterator[LogLine | str]) -> Log:
    """The last lines; what is text alone says what is missing. A fault on the way ends the log, and is told."""
    kept: deque[LogLine] = deque(maxlen=MOST_LINES)
    count, notes = 0, []
    until = monotonic() + PATIENCE
    try:
        for line in lines:
            if monotonic() > until:
                notes.append(f"there is more; only what came in {PATIENCE:g} s is shown")
                break
            if isinstance(line, LogLine):
                kept.append(line)
                count += 1
            else:
                notes.append(line)
    except OdahuArgoError as error:
        notes.append(error.problems[0].message)
    return Log(tuple(kept), count - len(kept), "; ".join(dict.fromkeys(notes)))
