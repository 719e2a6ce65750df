"""Many things on their way at once, brought to their ends by one thread."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, wait
from dataclasses import dataclass
from queue import SimpleQueue

from odahu_argo.storage.base import Arriving

_AT_ONCE = 64
_TURN = 0.05
"""Seconds after which what a thread has brought is seen, while others need turns."""


@dataclass(slots=True)
class InThread:
    """What a thread of a pool brings, and tells of by itself."""

    future: Future[None]
    moved: int = 0
    is_checked: bool = False

    def stop(self) -> None:
        """Do not begin; what has begun is stopped by what it is told with."""
        self.future.cancel()


def side_by_side(
    bringings: Iterable[Generator[Arriving]], stop: threading.Event, turn: Callable[[float], bool]
) -> None:
    """Bring all to their ends, 64 at once; each gives what it waits for next, and is asked again when that has ended.

    While it waits it takes turns of so many seconds, until `turn` says that nothing needs them.

    The first failure, or a signal, sets `stop` and ends the others: each is closed when what it waits for has ended.
    """
    ended: SimpleQueue[Future[None]] = SimpleQueue()
    under_way: dict[Future[None], tuple[Generator[Arriving], Arriving]] = {}

    def go_on(bringing: Generator[Arriving]) -> None:
        if arriving := next(bringing, None):
            under_way[arriving.future] = bringing, arriving
            arriving.future.add_done_callback(ended.put)

    def go_on_with_one_that_ended() -> None:
        while ended.empty() and turn(_TURN):
            pass
        bringing, _ = under_way.pop(ended.get())
        go_on(bringing)

    try:
        for bringing in bringings:
            go_on(bringing)
            while len(under_way) >= _AT_ONCE:
                go_on_with_one_that_ended()
        while under_way:
            go_on_with_one_that_ended()
    finally:
        stop.set()
        for _, arriving in under_way.values():
            arriving.stop()
        wait(under_way)
        for bringing, _ in under_way.values():
            bringing.close()
