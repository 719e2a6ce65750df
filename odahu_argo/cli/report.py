"""`odahu-argo report`: the page of a training as one HTML file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from odahu_argo.cli import render
from odahu_argo.cli.target import Target, operator_options

if TYPE_CHECKING:
    from odahu_argo.backends.base import Backend

MLFLOW_TIMEOUT = 30.0
"""Seconds."""


@operator_options
def report_command(
    target: Target,
    training_id: Annotated[str, typer.Option("--id", "--train-id", metavar="ID", help="ID of the training.")],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FILE", help="HTML file to write.")],
    local: Annotated[bool, typer.Option("--local", help="Report a local training.")] = False,
) -> None:
    """Save the page of a training as one self-contained HTML file.

    The page shows steps, times, parameters, metrics, logs, artifacts and the workflow, like that of `odahu-argo server`.

    Example: odahu-argo report --id wine -n ml -o wine.html
    """
    from odahu_argo.backends.operations import training_details
    from odahu_argo.errors import UserError
    from odahu_argo.web.render import report

    if local and (target.is_given("namespace") or target.is_given("context")):
        raise UserError(
            "--local cannot be combined with --namespace or --context", hint="omit --local to use a cluster"
        )
    if local:
        from odahu_argo.backends.local import LocalBackend
        from odahu_argo.local.home import Home, require_local_training

        require_local_training()
        backend: Backend = LocalBackend(Home.from_environment())
    else:
        from odahu_argo.backends.kubernetes import KubernetesBackend

        backend = KubernetesBackend(*target.cluster())
    details = training_details(backend, training_id, MLFLOW_TIMEOUT)
    _write(output, report(details, backend.info.location))
    render.note(f"{output}: training {training_id} is {details.training.status.state}")


def _write(file: Path, content: bytes) -> None:
    """Write the file atomically.

    Raises:
        UserError: The file cannot be written.
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
        raise UserError(f"cannot write {file}: {error.strerror}", hint="pass another file with -o") from error
