"""The plans that `train create` and `train edit` submit, and what is in their way on the cluster."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from odahu_argo.cli import render
from odahu_argo.cli.options import read_manifests, tell_schedules
from odahu_argo.cli.resource import renamed

if TYPE_CHECKING:
    from odahu_argo.plan.model import Plan
    from odahu_argo.profile import Profile
    from odahu_argo.submit.cluster import Cluster


def plans_of(
    connected: Cluster,
    files: list[Path] | None,
    folders: list[Path] | None,
    training_id: str | None,
    settings: Profile,
    external: list[str] | None,
) -> list[Plan]:
    """A plan for each training of the manifests, or for the one called `training_id`; a single one is given that id.

    Raises:
        UserError: with every problem at once.
        Unreachable: the API does not answer.
    """
    from odahu_argo.trainings.planning import plan_on

    manifests = read_manifests(files, folders)
    if training_id and len(manifests.trainings) == 1:
        manifests = replace(manifests, trainings=renamed("training", manifests.trainings, training_id))
    plans = plan_on(connected, manifests, settings.with_external(tuple(external or ())), training_id)
    tell_schedules(plans, "it is run once now")
    return plans


def preflight(connected: Cluster, settings: Profile, plans: list[Plan]) -> None:
    """Tell what may be in the way, and end where something surely is.

    Raises:
        UserError: with every error that was found.
    """
    from odahu_argo.errors import Problem, UserError
    from odahu_argo.submit.preflight import check

    findings = check(connected, settings, plans)
    for each in findings:
        if each.level == "warning":
            render.warning(Problem(f"{each.subject}: {each.message}", hint=each.hint))
    if errors := [Problem(f"{e.subject}: {e.message}", hint=e.hint) for e in findings if e.level == "error"]:
        raise UserError(errors)
