"""Commands of the pods that `setup` installs: `odahu-argo recorder` and `odahu-argo mlflow-server`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from odahu_argo.cli import render
from odahu_argo.cli.target import Target, operator_options


@operator_options
def recorder_command(
    target: Target,
) -> None:
    """Record the history of the trainings in a namespace. `odahu-argo setup` installs it as a Deployment.

    Example: odahu-argo recorder -n ml
    """
    from odahu_argo.trainings.recorder import run

    connected, _ = target.cluster()
    render.note(f"recording the trainings of namespace {connected.namespace}")
    run(connected, render.note)


def mlflow_server_command(
    options: Annotated[
        list[str] | None, typer.Argument(metavar="[-- OPTIONS]", help="Options of `mlflow server`.")
    ] = None,
    connection: Annotated[
        Path | None,
        typer.Option("--connection", metavar="DIR", help="Mounted Secret of the connection for artifacts."),
    ] = None,
    below: Annotated[str, typer.Option("--below", metavar="PATH", help="Path of the artifacts below the URI.")] = "",
    upgrade: Annotated[
        bool, typer.Option("--upgrade", help="Migrate the database in MLFLOW_BACKEND_STORE_URI first.")
    ] = False,
) -> None:
    """Run MLflow's tracking server with artifacts in a connection. `odahu-argo setup mlflow` installs it.

    MLFLOW_BACKEND_STORE_URI selects the database. Arguments after `--` are passed to `mlflow server`.

    Example: odahu-argo mlflow-server --connection /connections/models-output --below mlflow -- --port 5000
    """
    import os

    from odahu_argo.steps.mlflow.server import (
        DATABASE_VARIABLE,
        artifact_store_variables,
        exec_mlflow_server,
        require_mlflow,
        upgrade_database,
    )

    require_mlflow()
    variables = {} if connection is None else artifact_store_variables(connection, below)
    if upgrade and (uri := os.environ.get(DATABASE_VARIABLE, "").strip()):
        variables[DATABASE_VARIABLE] = upgrade_database(uri)
    exec_mlflow_server(options or [], variables)
