"""MLflow's tracking server in a pod: its artifacts where a connection says, its database brought up to date before.

The connection is the folder as which its Secret is mounted, as in the steps of a training, so that what trains with it is
also what MLflow keeps its artifacts with. MLflow itself is then run in place of this process.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from odahu_argo.errors import OdahuArgoError, ServiceFault, UserError
from odahu_argo.steps.connection import read_mounted
from odahu_argo.steps.log import log
from odahu_argo.steps.tracking import quiet_mlflow
from odahu_argo.storage.factory import open_store
from odahu_argo.storage.mlflow_access import mlflow_access
from odahu_argo.uri import without_credentials

DATABASE_VARIABLE = "MLFLOW_BACKEND_STORE_URI"
DESTINATION_VARIABLE = "MLFLOW_ARTIFACTS_DESTINATION"
"""Both are `mlflow server`'s own, in place of options, which every program of the machine could see."""


def require_mlflow() -> None:
    """See that MLflow's server is here, not its client alone.

    Raises:
        UserError: it is not.
    """
    try:
        version("mlflow")
    except PackageNotFoundError:
        hint = "take an image with odahu-argo[training] in it, such as that of `make training-image`"
        raise UserError("MLflow's server is not installed here", hint) from None


def artifacts_of(connection: Path, below: str) -> dict[str, str]:
    """The environment by which `mlflow server` keeps artifacts in the path `below` what the mounted connection names.

    Keys that must be files are written to a new folder that only this user can read. Whether the store answers is seen and
    logged, no more: the server also has records to serve.

    Raises:
        UserError: the connection is not there, is no object store, or its fields are of no use to MLflow.
    """
    fields = read_mounted(connection)
    folder = Path(tempfile.mkdtemp(prefix="mlflow-"))
    access = mlflow_access(fields, below, folder)
    for path, content in access.files.items():
        path.touch(mode=0o600)
        path.write_text(content, encoding="utf-8")
    log("mlflow", f"artifacts go to {without_credentials(access.destination)}")
    _look(fields)
    return {**access.variables, DESTINATION_VARIABLE: access.destination}


def _look(fields: Mapping[str, str]) -> None:
    try:
        store, path = open_store(fields)
        next(iter(store.list(path)), None)
    except OdahuArgoError as error:
        for problem in error.problems:
            log("mlflow", f"warning: artifacts cannot be kept there yet: {problem}")


def upgrade_database(uri: str) -> str:
    """Make MLflow's tables in an empty database, or bring those of an older MLflow up to date, as `mlflow db upgrade` does.

    Returned is the address in the spelling that SQLAlchemy takes.

    Raises:
        UserError: it is the address of no database, or MLflow knows nothing of its tables.
        ServiceFault: the database cannot be reached, or refuses.
    """
    from click import ClickException
    from mlflow.db import upgrade
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError

    quiet_mlflow()
    spelt = f"postgresql{uri.removeprefix('postgres')}" if uri.startswith("postgres://") else uri
    shown = without_credentials(spelt)
    log("mlflow", f"bringing the database {shown} up to date")
    try:
        upgrade.main([spelt], standalone_mode=False)
    except (ArgumentError, NoSuchModuleError, ImportError) as error:
        hint = f"write {DATABASE_VARIABLE} as postgresql://user:password@host/database"
        raise UserError(f"{shown} is the address of no database that MLflow can use here", hint) from error
    except MlflowException as error:
        raise UserError(f"MLflow cannot use the database {shown}: {without_credentials(str(error))}") from error
    except (SQLAlchemyError, ClickException) as error:
        reason = without_credentials(str(getattr(error, "orig", None) or error)).strip().splitlines()[0]
        raise ServiceFault(f"the database {shown} does not answer as it should: {reason}") from error
    return spelt


def become(arguments: Sequence[str], variables: Mapping[str, str]) -> None:
    """Run `mlflow server` with these options in place of this process."""
    sys.stdout.flush()
    os.execve(sys.executable, [sys.executable, "-m", "mlflow", "server", *arguments], {**os.environ, **variables})
