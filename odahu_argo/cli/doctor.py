"""`odahu-argo doctor`: what would be in the way of a training."""

from __future__ import annotations

from dataclasses import asdict
from enum import StrEnum
from typing import Annotated

import typer

from odahu_argo.cli import render
from odahu_argo.cli.options import ExternalConnections, Files, Folders, TrainingId
from odahu_argo.cli.target import Target, operator_options

EXIT_ERRORS = 2


class DoctorForm(StrEnum):
    """How the findings are told."""

    TABLE = "table"
    JSON = "json"


@operator_options
def doctor_command(
    target: Target,
    file: Files = None,
    manifest_dir: Folders = None,
    training_id: TrainingId = None,
    external_connection: ExternalConnections = None,
    output: Annotated[
        DoctorForm, typer.Option("--output", "-o", callback=render.in_form, help="The form of the findings.")
    ] = DoctorForm.TABLE,
) -> None:
    """Look at the cluster, and at all that the given trainings need there. Changes nothing.

    Ends with 2 where something is in the way.

    Example: odahu-argo doctor -n ml -f training.yaml -f connections.yaml
    """
    from odahu_argo.backends.kubernetes import KubernetesBackend
    from odahu_argo.cli.train_plans import prepare
    from odahu_argo.preflight.checks import check

    connected, settings = target.cluster()
    if file or manifest_dir:
        trainings = KubernetesBackend(connected, settings).trainings
        batch = prepare(trainings, file, manifest_dir, training_id, external_connection)
        findings = batch.preflight(batch.ids)
    else:
        findings = check(connected, settings)
    if output is DoctorForm.JSON:
        render.as_json([asdict(finding) for finding in findings])
    else:
        render.table(["", "LOOKED AT", "SEEN"], [[each.level, each.subject, each.message] for each in findings])
        for each in findings:
            if each.hint and each.level != "ok":
                render.note(f"hint, {each.subject}: {each.hint}")
    if any(each.level == "error" for each in findings):
        raise typer.Exit(EXIT_ERRORS)
