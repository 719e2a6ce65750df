"""Prepare and check the trainings of a command before they are submitted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from odahu_argo.cli import render
from odahu_argo.cli.options import note_schedules, read_manifests, warn_of_unused
from odahu_argo.cli.resource import select_or_rename

if TYPE_CHECKING:
    from odahu_argo.backends.base import Submission, Trainings


def prepare(
    trainings: Trainings,
    files: list[Path] | None,
    folders: list[Path] | None,
    training_id: str | None,
    external: list[str] | None,
    strict: bool = False,
) -> Submission:
    """Prepare the trainings in the manifests, or the one with `training_id`. A single training gets that ID.

    Raises:
        UserError: The manifests have problems; it contains all of them.
        Unreachable: The API does not answer.
    """
    manifests = read_manifests(files, folders, strict=strict)
    if training_id and len(manifests.trainings) == 1 and not manifests.invalid_trainings:
        manifests = replace(manifests, trainings=select_or_rename("training", manifests.trainings, training_id))
    submission = trainings.prepare(manifests, training_id, external or ())
    warn_of_unused(manifests)
    note_schedules(submission.schedules, "it runs once, now")
    return submission


def preflight(submission: Submission, ids: Sequence[str]) -> None:
    """Print the warnings of the preflight checks.

    Raises:
        UserError: A check failed; it contains all errors.
    """
    from odahu_argo.errors import Problem, UserError

    errors: list[Problem] = []
    for result in submission.preflight(ids):
        problem = Problem(f"{result.subject}: {result.message}", hint=result.hint)
        if result.level == "warning":
            render.warning(problem)
        elif result.level == "error":
            errors.append(problem)
    if errors:
        raise UserError(errors)
