"""The trainings that `train create` and `train edit` submit, and what is in their way."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from odahu_argo.cli import render
from odahu_argo.cli.options import note_schedules, read_manifests
from odahu_argo.cli.resource import renamed

if TYPE_CHECKING:
    from odahu_argo.backends.base import Submission, Trainings


def prepare(
    trainings: Trainings,
    files: list[Path] | None,
    folders: list[Path] | None,
    training_id: str | None,
    external: list[str] | None,
) -> Submission:
    """The trainings of the manifests, or the one called `training_id`; a single one is given that id.

    Raises:
        UserError: with every problem at once.
        Unreachable: the API does not answer.
    """
    manifests = read_manifests(files, folders)
    if training_id and len(manifests.trainings) == 1:
        manifests = replace(manifests, trainings=renamed("training", manifests.trainings, training_id))
    submission = trainings.prepare(manifests, training_id, external or ())
    note_schedules(submission.schedules, "it is run once now")
    return submission


def preflight(submission: Submission, ids: Sequence[str]) -> None:
    """Tell what may be in the way of these trainings, and end where something surely is.

    Raises:
        UserError: with every error that was found.
    """
    from odahu_argo.errors import Problem, UserError

    findings = submission.preflight(ids)
    for each in findings:
        if each.level == "warning":
            render.warning(Problem(f"{each.subject}: {each.message}", hint=each.hint))
    if errors := [Problem(f"{e.subject}: {e.message}", hint=e.hint) for e in findings if e.level == "error"]:
        raise UserError(errors)
