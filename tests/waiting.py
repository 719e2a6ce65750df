"""Wait for what another thread or process does."""

from __future__ import annotations

import time
from collections.abc import Callable

LONGEST_SECONDS = 30


def eventually(condition: Callable[[], bool]) -> bool:
    """Return whether the condition becomes true."""
    until = time.monotonic() + LONGEST_SECONDS
    while not condition():
        if time.monotonic() > until:
            return False
        time.sleep(0.02)
    return True
