"""`odahu-argo report`: a training's page as one file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from odahu_argo.cli import render
from odahu_argo.cli.target import Target, operator_options

if TYPE_CHECKING:
    from odahu_argo.backends.base import Backend

PATIENCE = 30.0
"""Seconds for MLflow."""


@operator_options
def report_command(
    target: Target,
    training_id: Annotated[str, typer.Option("--id", "--train-id", metavar="ID", help="The training.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="The file to write.")],
    local: Annotated[bool, typer.Option("--local", help="Tell of a training of this machine.")] = False,
) -> None:
    """Write what there is to see of a training into one HTML file, which needs nothing from elsewhere.

    It is the page that `odahu-argo server` shows: steps, times, parameters, metrics, logs, artifacts and the workflow.

    Example: odahu-argo report --id wine -n ml -o wine.html
    """
    from odahu_argo.backends.operations import training_details
    from odahu_argo.errors import UserError
    from odahu_argo.web.render import report

    if local and (target.is_given("namespace") or target.is_given("context")):
        raise UserError(
            "--local takes no --namespace and --context", hint="trainings of this machine are in no cluster"
        )
    if local:
        from odahu_argo.backends.local import LocalBackend
        from odahu_argo.local.home import Home, require_local_training

        require_local_training()
        backend: Backend = LocalBackend(Home.from_environment())
    else:
        from odahu_argo.backends.kubernetes import KubernetesBackend

        backend = KubernetesBackend(*target.cluster())
    details = training_details(backend, training_id, PATIENCE)
    _write(output, report(details, backend.info.location))
    render.note(f"{output}: training {training_id} is {details.training.status.state}")


def _write(file: Path, content: bytes) -> None:
    """All of it or nothing.

    Raises:
        UserError: it cannot be written there.
    """
    import os
    import tempfile

    from odahu_argo.errors import UserError

    try:
        handle, partial = tempfile.mkstemp(prefix=f".{file.name}.", dir=file.parent)
        try:
            with os.fdopen(handle, "wb") as stream:
                stream.write(content)
            Path(partial).chmod(0o644)
            Path(partial).replace(file)
        except BaseException:
            Path(partial).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise UserError(f"{file} cannot be written: {error.strerror}", hint="name another file by -o") from error
