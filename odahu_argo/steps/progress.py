"""How far a step is, for Argo and for the log."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from odahu_argo.contract import PROGRESS_VARIABLE


def report(percent: int) -> None:
    """Write `N/100` to the file that Argo names; without such a file, or when it cannot be written, nothing happens."""
    name = os.environ.get(PROGRESS_VARIABLE)
    if not name:
        return
    path = Path(name)
    partial = path.with_name(f".{path.name}.partial")
    with suppress(OSError):
        partial.write_text(f"{percent}/100", encoding="ascii")
        partial.replace(path)


class Percentage:
    """Counts bytes from any thread towards a total, reports each whole percent, and tells `say` a line now and then.

    A line comes at most once a second and at most every 10 percent.
    """

    def __init__(self, total: int, say: Callable[[str], None]) -> None:
        """Count towards `total` bytes."""
        self._total = total
        self._say = say
        self._lock = threading.Lock()
        self._moved = 0
        self._reported = -1
        self._said = 0
        self._said_at = time.monotonic()

    def __call__(self, moved: int) -> None:
        """Add so many bytes; a negative number takes back what a broken part had counted."""
        with self._lock:
            self._moved += moved
            percent = max(0, min(100, 100 * self._moved // self._total)) if self._total else 100
            if percent > self._reported:
                self._reported = percent
                report(percent)
            now = time.monotonic()
            if percent < 100 and percent - self._said >= 10 and now - self._said_at >= 1:
                self._said, self._said_at = percent, now
                self._say(f"{percent} % of {human_size(self._total)}")


def human_size(size: int) -> str:
    """A number of bytes for people, in powers of 1024: `532 B`, `1.4 MiB`."""
    amount = float(size)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if amount < 1024:
            return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1024
    return f"{amount:.1f} TiB"
