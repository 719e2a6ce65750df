"""Finding and ending every process that a step has started, also those that have left its session or lost their parent."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

from odahu_argo.errors import ServiceFault

if TYPE_CHECKING:
    from psutil import Process

GRACE = 5.0
"""Seconds that processes get to end by themselves."""
_KILLED = 5.0
"""Seconds that killed processes get to be gone."""
_ROUND = 0.1


def end_tree(root: int | None, mark: tuple[str, str], in_a_hurry: Callable[[], bool] = lambda: False) -> None:
    """End the process `root`, all its descendants, and all processes whose environment holds the variable `mark`.

    They are asked by SIGTERM and killed after `GRACE` seconds, or at once when `in_a_hurry`; whatever they start
    meanwhile is ended as well. At the return none of them is alive.

    Raises:
        ServiceFault: some process outlives SIGKILL.
    """
    known: set[Process] = set()
    asked: set[Process] = set()
    began = time.monotonic()
    while alive := _alive(known := known | _find(root, mark, known)):
        waited = time.monotonic() - began
        if waited > GRACE + _KILLED:
            numbers = ", ".join(str(process.pid) for process in sorted(alive, key=lambda process: process.pid))
            raise ServiceFault(f"these processes cannot be stopped: {numbers}", hint="end them yourself: kill -9 PID")
        for process in alive:
            with suppress(_gone()):
                if waited >= GRACE or in_a_hurry():
                    process.kill()
                elif process not in asked:
                    process.terminate()
        asked |= alive
        time.sleep(_ROUND)


def _find(root: int | None, mark: tuple[str, str], known: set[Process]) -> set[Process]:
    import psutil

    found: set[Process] = set()
    if root is not None:
        with suppress(_gone()):
            found.add(psutil.Process(root))
    for process in psutil.process_iter():
        if process not in known and process.pid != os.getpid() and _has(process, mark):
            found.add(process)
    for process in found | known:
        with suppress(_gone()):
            found.update(process.children(recursive=True))
    return found


def _alive(processes: set[Process]) -> set[Process]:
    """Those that still run; one that has ended and waits for its parent to notice does not."""
    import psutil

    alive = set()
    for process in processes:
        with suppress(_gone()):
            if process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
                alive.add(process)
    return alive


def _has(process: Process, mark: tuple[str, str]) -> bool:
    name, value = mark
    with suppress(_gone(), OSError):
        return process.environ().get(name) == value
    return False


def _gone() -> type[Exception]:
    """What psutil raises for a process that has ended or is another user's."""
    import psutil

    return psutil.Error
