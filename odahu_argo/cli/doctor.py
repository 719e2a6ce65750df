"""`odahu-argo doctor`: check a cluster before a training is submitted."""

from __future__ import annotations

from dataclasses import asdict
from enum import StrEnum
from typing import Annotated

import typer

from odahu_argo.cli import render
from odahu_argo.cli.options import ExternalConnections, Files, Folders, StrictChecks, TrainingId
from odahu_argo.cli.target import Target, operator_options

EXIT_ERRORS = 2


class DoctorFormat(StrEnum):
    """Output format."""

    TABLE = "table"
    JSON = "json"


@operator_options
def doctor_command(
    target: Target,
    file: Files = None,
    manifest_dir: Folders = None,
    training_id: TrainingId = None,
    external_connection: ExternalConnections = None,
    strict: StrictChecks = False,
    output: Annotated[
        DoctorFormat,
        typer.Option("--output", "-o", callback=render.set_format, metavar="table|json", help="Output format."),
    ] = DoctorFormat.TABLE,
) -> None:
    """Check the cluster and, with manifests, everything that the trainings need there. Changes nothing.

    Exits with 2 if a check fails.

    Example: odahu-argo doctor -n ml -f training.yaml -f connections.yaml
    """
    from odahu_argo.backends.kubernetes import KubernetesBackend
    from odahu_argo.cli.submission import prepare
    from odahu_argo.preflight.checks import check

    connected, settings = target.cluster()
    if file or manifest_dir:
        trainings = KubernetesBackend(connected, settings).trainings
        submission = prepare(trainings, file, manifest_dir, training_id, external_connection, strict)
        results = submission.preflight(submission.ids)
    else:
        results = check(connected, settings)
    if output is DoctorFormat.JSON:
        render.as_json([asdict(result) for result in results])
    else:
        render.table(["LEVEL", "CHECK", "RESULT"], [[check.level, check.subject, check.message] for check in results])
        for result in results:
            if result.hint and result.level != "ok":
                render.note(f"hint, {result.subject}: {result.hint}")
    if any(result.level == "error" for result in results):
        raise typer.Exit(EXIT_ERRORS)
