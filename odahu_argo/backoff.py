"""Exponential backoff with jitter."""

from __future__ import annotations

import random
from collections.abc import Iterator


def pauses(first: float, largest: float) -> Iterator[float]:
    """Yield the delay in seconds before each retry, without end.

    Delays double from `first` up to `largest`. Each is reduced by up to half at random, so that clients do not retry at the
    same moment.
    """
    pause = first
    while True:
        yield pause * random.uniform(0.5, 1)
        pause = min(pause * 2, largest)
