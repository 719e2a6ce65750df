"""Work on many things, shared by a process for each core where that pays."""

from __future__ import annotations

import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from itertools import pairwise
from typing import TYPE_CHECKING, Any, TypeVar

from odahu_argo.errors import OdahuArgoError, ServiceFault

if TYPE_CHECKING:
    from multiprocessing.connection import Connection


T = TypeVar("T")
R = TypeVar("R")
Work = Callable[[Sequence[T]], list[R]]

WORTH_SHARING = 200
"""From so many things on, more processes are quicker than one."""


def in_shares(work: Work[T, R], things: Sequence[T]) -> list[R]:
    """What the work makes of the things, in their order; it gives for a part of them the same as for all.

    In another process standard input is empty.

    Raises:
        OdahuArgoError: the work does, for the first part that fails.
        ServiceFault: a process that did a part was killed.
    """
    processes = min(_cores(), 2 * len(things) // WORTH_SHARING) if len(things) >= WORTH_SHARING else 1
    return work(things) if processes == 1 else _shared(work, things, processes)


def _shared(work: Work[T, R], things: Sequence[T], processes: int) -> list[R]:
    """A share for each process, which answers by a pipe of its own: if either side is killed, the other finds it closed."""
    from multiprocessing import get_context

    fork = get_context("fork")
    bounds = [len(things) * number // processes for number in range(processes + 1)]
    answers: list[Connection] = []
    workers = []
    for begin, end in pairwise(bounds):
        answer, to_answer = fork.Pipe(duplex=False)
        answers.append(answer)
        workers.append(fork.Process(target=_work, args=(answers, to_answer, work, things[begin:end]), daemon=True))
        workers[-1].start()
        to_answer.close()
    made = [each for answer in answers for each in _received(answer)]
    for worker in workers:
        worker.join()
    return made


def _work(answers: Sequence[Connection], to_answer: Connection, work: Work[T, R], things: Sequence[T]) -> None:
    """Ctrl-C is the first process's to answer. It alone keeps the other ends of the pipes open, so its death is noticed."""
    from multiprocessing.reduction import ForkingPickler

    for answer in answers:
        answer.close()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        made = ForkingPickler.dumps(work(things))
    except OdahuArgoError as error:
        made = ForkingPickler.dumps(error)
    except Exception:
        made = ForkingPickler.dumps(RuntimeError(traceback.format_exc()))
    with suppress(BrokenPipeError):
        to_answer.send_bytes(made)


def _received(answer: Connection) -> list[Any]:
    try:
        made: list[Any] | Exception = answer.recv()
    except EOFError:
        raise ServiceFault(
            "a process that did a part of the work was killed",
            hint="try again; where memory is short, take fewer trainings at once, by --id or by folder",
        ) from None
    if isinstance(made, Exception):
        raise made
    return made


def _cores() -> int:
    """Those that this process may use; one where it may not, or cannot safely, be forked."""
    from multiprocessing import current_process

    is_alone = threading.active_count() == 1 and not current_process().daemon
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" and is_alone else 1
