"""Parallel map over many items, with one process per CPU core."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from typing import TypeVar

from odahu_argo.errors import ServiceFault

T = TypeVar("T")
R = TypeVar("R")

MIN_ITEMS_PER_PROCESS = 100
"""With fewer items, starting another process takes longer than it saves."""


def parallel_map(function: Callable[[T], R], items: Sequence[T]) -> list[R]:
    """Return the results of `function` for all items, in order.

    Several processes share the work if there are enough items. The function, items and results must be picklable.

    Raises:
        ServiceFault: a process was killed, for example because memory ran out.
    """
    processes = min(_available_cores(), len(items) // MIN_ITEMS_PER_PROCESS)
    if processes < 2:
        return [function(item) for item in items]

    from concurrent.futures import ProcessPoolExecutor
    from concurrent.futures.process import BrokenProcessPool
    from multiprocessing import get_context

    pool = ProcessPoolExecutor(
        processes,
        mp_context=get_context("fork"),
        initializer=signal.signal,
        initargs=(signal.SIGINT, signal.SIG_IGN),  # Ctrl-C interrupts the parent only
    )
    with pool:
        try:
            return list(pool.map(function, items, chunksize=-(-len(items) // processes)))
        except BrokenProcessPool as error:
            raise ServiceFault(
                "a worker process was killed", hint="try again; if memory is short, process fewer trainings at once"
            ) from error


def _available_cores() -> int:
    """Return the number of usable cores; 1 if forking is unavailable, or unsafe because of other threads."""
    if sys.platform != "linux" or threading.active_count() > 1:
        return 1
    return len(os.sched_getaffinity(0))
