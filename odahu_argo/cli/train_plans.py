"""The plans that `train create` and `train edit` submit, and what is in their way on the cluster."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from odahu_argo.cli import render
from odahu_argo.cli.options import read_manifests

if TYPE_CHECKING:
    from odahu_argo.manifest.load import Manifests
    from odahu_argo.plan.model import Plan
    from odahu_argo.profile import Profile
    from odahu_argo.submit.cluster import Cluster


def plans_of(
    files: list[Path] | None,
    folders: list[Path] | None,
    training_id: str | None,
    settings: Profile,
    external: list[str] | None,
) -> list[Plan]:
    """A plan for each training of the manifests, or for the one called `training_id`; a single one is given that id.

    Raises:
        UserError: with every problem at once.
    """
    from odahu_argo.plan.build import plan_trainings

    manifests = read_manifests(files, folders)
    if training_id and len(manifests.trainings) == 1:
        manifests = _renamed(manifests, training_id)
    return plan_trainings(manifests, settings.with_external(tuple(external or ())), training_id)


def _renamed(manifests: Manifests, training_id: str) -> Manifests:
    """With another id for the only training, as odahuflowctl did.

    Raises:
        UserError: the id is none.
    """
    from odahu_argo.errors import UserError
    from odahu_argo.naming import ID_PATTERN

    if not ID_PATTERN.fullmatch(training_id):
        hint = "1 to 63 lowercase letters, digits and '-', a letter or digit at both ends"
        raise UserError(f"--id: {training_id!r} is not a valid id", hint)
    [only] = manifests.trainings
    if only.manifest.id != training_id:
        render.note(f"note: training {only.manifest.id} is submitted as {training_id}")
    renamed = only.manifest.model_copy(update={"id": training_id})
    return replace(manifests, trainings=(replace(only, manifest=renamed),))


def preflight(connected: Cluster, plans: list[Plan]) -> None:
    """Tell what may be in the way, and end where something surely is.

    Raises:
        UserError: with every error that was found.
    """
    from odahu_argo.errors import Problem, UserError
    from odahu_argo.submit.preflight import check

    findings = check(connected, plans)
    for each in findings:
        if each.level == "warning":
            render.warning(Problem(f"{each.subject}: {each.message}", hint=each.hint))
    if errors := [Problem(f"{e.subject}: {e.message}", hint=e.hint) for e in findings if e.level == "error"]:
        raise UserError(errors)
