"""A training as plain data, in the form of ODAHU's API."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from odahu_argo.status.odahu_form import odahu_form as status_form
from odahu_argo.trainings.model import Attempt, Training


def odahu_form(training: Training) -> dict[str, Any]:
    """id, spec, status and times by ODAHU's names, of the newest attempt; `status.argo` is ours.

    Its steps are all, also those that an earlier attempt has done for the newest.
    """
    newest = training.newest
    return {
        "kind": "ModelTraining",
        "id": training.id,
        "createdAt": training.created,
        "updatedAt": training.updated,
        "spec": dict(newest.spec),
        "status": _status(replace(newest, status=replace(newest.status, steps=training.steps))),
    }


def history_form(training: Training) -> list[dict[str, Any]]:
    """Every attempt, the newest first."""
    return [
        {
            "id": training.id,
            "attempt": attempt.number,
            "createdAt": attempt.created,
            "spec": dict(attempt.spec),
            "status": _status(attempt),
        }
        for attempt in reversed(training.attempts)
    ]


def _status(attempt: Attempt) -> dict[str, Any]:
    form = status_form(attempt.status)
    ours = {
        "workflow": attempt.workflow,
        "attempt": attempt.number,
        "createdAt": attempt.created,
        "seen": attempt.seen,
        "gone": attempt.is_gone,
    }
    return {**form, "argo": {**form.get("argo", {}), **ours}}
