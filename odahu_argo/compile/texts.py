"""Many plans to the texts of their workflows, on all cores where that pays."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from functools import partial
from typing import Literal

from odahu_argo.compile import emit
from odahu_argo.compile.workflow import compile_workflow
from odahu_argo.plan.model import Plan

WORTH_SHARING = 200
"""From so many plans on, more processes are quicker than one."""
_AT_ONCE = 25
"""Plans that are handed over together, so that what they share is handed over once."""


def workflow_texts(plans: Sequence[Plan], attempt: int, form: Literal["yaml", "json"]) -> list[str]:
    """The text of each plan's workflow, in the order of the plans, whoever has written it.

    Raises:
        UserError: a workflow would be larger than Argo takes; that of the first such plan.
    """
    write = partial(workflow_text, attempt=attempt, form=form)
    processes = _cores() if len(plans) >= WORTH_SHARING else 1
    if processes == 1:
        return [write(plan) for plan in plans]
    import multiprocessing

    with multiprocessing.get_context("fork").Pool(processes) as pool:
        return list(pool.imap(write, plans, _AT_ONCE))


def workflow_text(plan: Plan, attempt: int, form: Literal["yaml", "json"]) -> str:
    """The text of one plan's workflow.

    Raises:
        UserError: it would be larger than Argo takes.
    """
    workflow = compile_workflow(plan, attempt)
    return emit.to_json([workflow]) if form == "json" else emit.to_yaml([workflow])


def _cores() -> int:
    """Those that this process may use; one where a process cannot be forked safely."""
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else 1
