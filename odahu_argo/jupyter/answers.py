"""What the panel is told, as plain data."""

from __future__ import annotations

from typing import Any

from odahu_argo.errors import OdahuArgoError, Problem
from odahu_argo.jupyter.opened import WhichOne
from odahu_argo.page.model import LogLine, Summary, Views
from odahu_argo.page.words import LONGEST_LINE, shown

Answer = dict[str, Any]


def listed(views: Views) -> Answer:
    """Every training, the newest first, and where they run."""
    return {"place": views.place, "trainings": [_summary(each) for each in views.all()]}


def told(error: OdahuArgoError) -> Answer:
    """Every problem with its place; `choose` names the trainings of a document that holds several."""
    answer: Answer = {"problems": [_problem(each) for each in error.problems]}
    return answer | {"choose": error.trainings} if isinstance(error, WhichOne) else answer


def line(found: LogLine | str) -> Answer:
    """A line of a log; one without a step is said of the log."""
    if isinstance(found, LogLine):
        return {"step": found.step, "text": shown(found.text, LONGEST_LINE)}
    return {"text": shown(found, LONGEST_LINE)}


def _summary(training: Summary) -> Answer:
    return {
        "id": training.id,
        "state": training.state,
        "reason": shown(training.reason),
        "message": shown(training.message),
        "model": shown(training.model),
        "version": shown(training.version),
        "created": training.created.isoformat() if training.created else None,
    }


def _problem(problem: Problem) -> Answer:
    return {
        "message": shown(problem.message),
        "file": problem.where.file,
        "line": problem.where.line,
        "field": problem.where.field,
        "hint": shown(problem.hint) if problem.hint else None,
    }
