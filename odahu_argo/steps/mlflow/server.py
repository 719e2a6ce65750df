"""The MLflow tracking server of `setup mlflow`: artifact store from a connection, database migration, start.

The connection is a mounted Secret, as in the steps of a training, so that a connection of trainings also works for MLflow.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from odahu_argo.errors import OdahuArgoError, ServiceFault, UserError
from odahu_argo.launcher.tracking import quiet_mlflow
from odahu_argo.steps.connection import read_mounted_connection
from odahu_argo.steps.runtime import log
from odahu_argo.storage.factory import open_store
from odahu_argo.storage.mlflow_access import mlflow_access
from odahu_argo.uri import without_credentials

DATABASE_VARIABLE = "MLFLOW_BACKEND_STORE_URI"
DESTINATION_VARIABLE = "MLFLOW_ARTIFACTS_DESTINATION"
"""Variables of `mlflow server` used instead of its options, because command lines are visible to other processes."""


def require_mlflow() -> None:
    """Check that MLflow's server is installed, not only its client.

    Raises:
        UserError: It is not installed.
    """
    try:
        version("mlflow")
    except PackageNotFoundError:
        hint = "use an image with odahu-argo[training], such as that of `make training-image`"
        raise UserError("MLflow's server is not installed", hint) from None


def artifact_store_variables(connection: Path, path: str) -> dict[str, str]:
    """Return the environment in which `mlflow server` stores artifacts at `path` below the mounted connection's URI.

    Keys that MLflow reads from files are written to a new private directory. If the store cannot be reached, a warning is
    logged: the server also serves records, which do not need the store.

    Raises:
        UserError: The connection is not mounted, is not an object store, or has fields that MLflow cannot use.
    """
    fields = read_mounted_connection(connection)
    directory = Path(tempfile.mkdtemp(prefix="mlflow-"))
    access = mlflow_access(fields, path, directory)
    for file, content in access.files.items():
        file.touch(mode=0o600)
        file.write_text(content, encoding="utf-8")
    log("mlflow", f"storing artifacts in {without_credentials(access.destination)}")
    _warn_if_unreachable(fields)
    return {**access.variables, DESTINATION_VARIABLE: access.destination}


def _warn_if_unreachable(fields: Mapping[str, str]) -> None:
    try:
        store, path = open_store(fields)
        next(iter(store.list(path)), None)
    except OdahuArgoError as error:
        for problem in error.problems:
            log("mlflow", f"warning: the artifact store is not available yet: {problem}")


def upgrade_database(uri: str) -> str:
    """Create or migrate MLflow's tables, as `mlflow db upgrade` does, and return the URI in SQLAlchemy's spelling.

    Raises:
        UserError: The URI is invalid, or MLflow does not recognize the tables.
        ServiceFault: The database cannot be reached, or denies access.
    """
    from click import ClickException
    from mlflow.db import upgrade
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError

    quiet_mlflow()
    database = f"postgresql{uri.removeprefix('postgres')}" if uri.startswith("postgres://") else uri
    redacted = without_credentials(database)
    log("mlflow", f"migrating the database {redacted}")
    try:
        upgrade.main([database], standalone_mode=False)
    except (ArgumentError, NoSuchModuleError, ImportError) as error:
        hint = f"set {DATABASE_VARIABLE} to postgresql://user:password@host/database"
        raise UserError(f"{redacted} is not the URI of a database that MLflow supports", hint) from error
    except MlflowException as error:
        raise UserError(f"MLflow cannot use the database {redacted}: {without_credentials(str(error))}") from error
    except (SQLAlchemyError, ClickException) as error:
        reason = without_credentials(str(getattr(error, "orig", None) or error)).strip().splitlines()[0]
        raise ServiceFault(f"the database {redacted} failed: {reason}") from error
    return database


def exec_mlflow_server(options: Sequence[str], variables: Mapping[str, str]) -> None:
    """Replace this process by `mlflow server` with these options."""
    sys.stdout.flush()
    os.execve(sys.executable, [sys.executable, "-m", "mlflow", "server", *options], {**os.environ, **variables})  # noqa: S606
