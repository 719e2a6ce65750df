"""`odahu-argo mlflow-server`: MLflow's tracking server in the pod that `setup mlflow` installs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def mlflow_server_command(
    options: Annotated[
        list[str] | None, typer.Argument(metavar="[-- OPTIONS]", help="Options of `mlflow server`.")
    ] = None,
    connection: Annotated[
        Path | None,
        typer.Option("--connection", help="The folder as which a connection's Secret is mounted; artifacts go there."),
    ] = None,
    below: Annotated[str, typer.Option("--below", help="The path below the connection's URI that holds them.")] = "",
    upgrade: Annotated[
        bool, typer.Option("--upgrade", help="Bring the tables of MLFLOW_BACKEND_STORE_URI up to date first.")
    ] = False,
) -> None:
    """Run MLflow's tracking server with the artifacts in what a connection names. It is what `setup mlflow` installs.

    The database's address is read from MLFLOW_BACKEND_STORE_URI. All after `--` goes to `mlflow server`.

    Example: odahu-argo mlflow-server --connection /connections/models-output --below mlflow -- --port 5000
    """
    import os

    from odahu_argo.steps.mlflow_server import DATABASE_VARIABLE, artifacts_of, become, require_mlflow, upgrade_database

    require_mlflow()
    variables = {} if connection is None else artifacts_of(connection, below)
    if upgrade and (uri := os.environ.get(DATABASE_VARIABLE, "").strip()):
        variables[DATABASE_VARIABLE] = upgrade_database(uri)
    become(options or [], variables)
