"""How long to wait before trying again: longer each time, and never two clients at the same moment."""

from __future__ import annotations

import random
from collections.abc import Iterator


def pauses(first: float, largest: float) -> Iterator[float]:
    """Seconds to wait before the second try, the third and so on, without end.

    They double up to `largest`, and each is cut by up to half at random.
    """
    pause = first
    while True:
        yield pause * random.uniform(0.5, 1)
        pause = min(pause * 2, largest)
