"""Termination signals. Handlers only count; the engine polls the count."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

EXIT_INTERRUPTED = 130
_SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP")
"""By name, because Windows has no SIGHUP."""


class Interrupted(Exception):
    """A run that was stopped by a termination signal. The message says how to continue."""


class TerminationSignals:
    """Number of termination signals received so far."""

    def __init__(self) -> None:
        self.count = 0

    def handle(self, number: int, frame: FrameType | None) -> None:
        """Count a signal."""
        self.count += 1

    def check(self) -> None:
        """Raise an exception if a signal was received. Call it from ordinary code, never from a handler.

        Raises:
            Interrupted: at least one signal was received.
        """
        if self.count:
            raise Interrupted("interrupted before the first step started")


@contextmanager
def termination_signals() -> Iterator[TerminationSignals]:
    """Count SIGINT, SIGTERM and SIGHUP instead of ending the process.

    Ignored signals, such as SIGHUP under `nohup`, stay ignored. Must be entered in the main thread.
    """
    signals = TerminationSignals()
    numbers = [getattr(signal, name) for name in _SIGNALS if hasattr(signal, name)]
    previous = {
        number: signal.signal(number, signals.handle)
        for number in numbers
        if signal.getsignal(number) is not signal.SIG_IGN
    }
    try:
        yield signals
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
