"""Exponential backoff with jitter."""

from __future__ import annotations

import random
from collections.abc import Iterator


def delays(first: float, largest: float) -> Iterator[float]:
    """Yield the delay in seconds before each retry, without end.

    Delays double from `first` up to `largest`. Each is reduced by up to half at random, so that clients do not retry at the
    same moment.
    """
    delay = first
    while True:
        yield delay * random.uniform(0.5, 1)
        delay = min(delay * 2, largest)
