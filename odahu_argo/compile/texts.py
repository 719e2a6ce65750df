"""Many plans to the texts of their workflows, on all cores where that pays."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from itertools import pairwise
from typing import TYPE_CHECKING

from odahu_argo.compile.spec import Object
from odahu_argo.compile.workflow import compile_workflow
from odahu_argo.errors import ServiceFault
from odahu_argo.plan.model import Plan

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

ToText = Callable[[list[Object]], str]

WORTH_SHARING = 200
"""From so many plans on, more processes are quicker than one."""


def workflow_texts(plans: Sequence[Plan], attempt: int, to_text: ToText) -> list[str]:
    """The text of each plan's workflow, in the order of the plans.

    Raises:
        UserError: a workflow would be larger than Argo takes; that of the first such plan.
        ServiceFault: a process that shared the work was killed.
    """
    processes = _cores() if len(plans) >= WORTH_SHARING else 1
    return _texts(plans, attempt, to_text) if processes == 1 else _shared(plans, attempt, to_text, processes)


def _texts(plans: Sequence[Plan], attempt: int, to_text: ToText) -> list[str]:
    return [to_text([compile_workflow(plan, attempt)]) for plan in plans]


def _shared(plans: Sequence[Plan], attempt: int, to_text: ToText, processes: int) -> list[str]:
    """A share for each process, which answers by a pipe of its own: if either side is killed, the other finds it closed."""
    from multiprocessing import get_context

    fork = get_context("fork")
    bounds = [len(plans) * number // processes for number in range(processes + 1)]
    answers = []
    for begin, end in pairwise(bounds):
        answer, to_answer = fork.Pipe(duplex=False)
        fork.Process(target=_work, args=(answer, to_answer, plans[begin:end], attempt, to_text), daemon=True).start()
        to_answer.close()
        answers.append(answer)
    return [text for answer in answers for text in _received(answer)]


def _work(answer: Connection, to_answer: Connection, plans: Sequence[Plan], attempt: int, to_text: ToText) -> None:
    """Ctrl-C is the first process's to answer. It alone keeps the pipe's other end open, so its death is noticed."""
    answer.close()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    found: list[str] | Exception
    try:
        found = _texts(plans, attempt, to_text)
    except Exception as error:
        found = error
    with suppress(BrokenPipeError):
        to_answer.send(found)


def _received(answer: Connection) -> list[str]:
    try:
        found: list[str] | Exception = answer.recv()
    except EOFError:
        raise ServiceFault(
            "a process that compiled a part of the trainings was killed",
            hint="try again; where memory is short, compile fewer trainings at once, by --id or by folder",
        ) from None
    if isinstance(found, Exception):
        raise found
    return found


def _cores() -> int:
    """Those that this process may use; one where a process cannot be forked safely."""
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else 1
