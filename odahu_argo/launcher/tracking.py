"""The MLflow tracking server: connection, experiments and runs, and its errors as user errors or transient faults."""

import logging
import os
import sys
from contextlib import contextmanager
from typing import Any, Dict, Iterator, Mapping, Optional

from odahu_argo.launcher.database import database_error_hint, database_error_reason
from odahu_argo.launcher.report import LaunchError, fault, log, user_error
from odahu_argo.uri import without_credentials

TRACKING_VARIABLE = "MLFLOW_TRACKING_URI"
ARTIFACTS_VARIABLE = "ODAHU_ARGO_MLFLOW_ARTIFACTS"
"""Artifact URI of new experiments; set if the tracking store is a file of the local engine or the workspace."""
_RETRIES_VARIABLE = "MLFLOW_HTTP_REQUEST_MAX_RETRIES"
_TIMEOUT_VARIABLE = "MLFLOW_HTTP_REQUEST_TIMEOUT"
_TELEMETRY_VARIABLE = "MLFLOW_DISABLE_TELEMETRY"
"""The launcher sends no telemetry, and so MLflow starts no thread for it. The training program is not concerned."""
_CONNECT_RETRIES = "2"
"""MLflow's default of 7 retries takes minutes, and the step is retried as a whole anyway."""
_MAX_ERROR_LENGTH = 400
_OTHER_VERSION = "out-of-date database schema"


def quiet_mlflow() -> Any:
    """Import MLflow and suppress its log messages, and those of database migrations, below warnings.

    Raises:
        ImportError: MLflow is not installed, or cannot be imported.
    """
    os.environ.setdefault("GIT_PYTHON_REFRESH", "quiet")
    with variables({_TELEMETRY_VARIABLE: "true"}):
        import mlflow
        import mlflow.tracking

    for name in ("mlflow", "alembic"):
        logging.getLogger(name).setLevel(logging.WARNING)
    return mlflow


def require_mlflow() -> Any:
    """Import MLflow; see `quiet_mlflow`.

    Raises:
        LaunchError: MLflow is not installed, or cannot be imported.
    """
    try:
        return quiet_mlflow()
    except ImportError as error:
        python = "{} (Python {}.{})".format(sys.executable, *sys.version_info[:2])
        if getattr(error, "name", "") == "mlflow":
            message = "MLflow is not installed for {}, which runs the training".format(python)
            hint = "install it in the training's image, or list it in the environment file of the MLproject"
        else:
            message = "MLflow cannot be imported by {}: {}".format(python, error)
            hint = "fix the packages of the training's image"
        raise user_error(message, hint) from error


def connect(has_own_store: bool = False) -> Any:
    """Connect to the tracking server in `MLFLOW_TRACKING_URI`, check that it responds, and return MLflow's client.

    With `has_own_store`, a database file that belongs to another version of MLflow is replaced by one beside it whose name
    contains the version, and the variable is changed.

    Raises:
        LaunchError: The variable is not set, the server denies access, or it cannot be reached.
    """
    uri = os.environ.get(TRACKING_VARIABLE, "").strip()
    if not uri:
        raise user_error(
            "{} is not set".format(TRACKING_VARIABLE), "set the MLflow server in the profile or in the training's envs"
        )
    mlflow = require_mlflow()
    retries = os.environ.get(_RETRIES_VARIABLE, _CONNECT_RETRIES)
    with variables({_RETRIES_VARIABLE: retries}), tracking_errors("reach the tracking server"):
        try:
            return _open(uri)
        except mlflow.exceptions.MlflowException as error:
            if not (has_own_store and _OTHER_VERSION in str(error) and uri.startswith("sqlite:///")):
                raise
        own = "{}-{}.db".format(uri[: -len(".db")] if uri.endswith(".db") else uri, mlflow.__version__)
        log("MLflow {} cannot use the records of another version; they go to {}".format(mlflow.__version__, own))
        with _lock(own[len("sqlite:///") :] + ".lock"):
            client = _open(own)
    os.environ[TRACKING_VARIABLE] = own
    return client


def _open(uri: str) -> Any:
    from mlflow.tracking import MlflowClient

    client = MlflowClient(tracking_uri=uri)
    client.get_experiment_by_name("Default")
    return client


@contextmanager
def _lock(file: str) -> Iterator[None]:
    """Hold an exclusive lock: MLflow fails if two processes create the tables of a database at once."""
    import fcntl

    with open(file, "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@contextmanager
def variables(values: Mapping[str, str]) -> Iterator[None]:
    """Set environment variables within a `with` block; afterwards restore their values."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


@contextmanager
def short_requests() -> Iterator[None]:
    """Limit MLflow's requests within a `with` block to one attempt of 5 seconds, for use after SIGTERM."""
    with variables({_RETRIES_VARIABLE: "0", _TIMEOUT_VARIABLE: "5"}):
        yield


@contextmanager
def tracking_errors(action: str) -> Iterator[None]:
    """Map errors of MLflow's client to user errors (denied, not found) and faults (unreachable, server error)."""
    from mlflow.exceptions import MlflowException
    from requests.exceptions import RequestException

    try:
        yield
    except (MlflowException, RequestException) as error:
        mlflow_error: Any = error
        status = mlflow_error.get_http_status_code() if isinstance(error, MlflowException) else 503
        server = without_credentials(os.environ.get(TRACKING_VARIABLE, ""))
        reason = database_error_reason(str(error))
        message = "cannot {} at {}: {}".format(action, server, _shorten(reason))
        if status < 500 and status != 429:
            raise user_error(
                message, "check {} and the credentials for the MLflow server".format(TRACKING_VARIABLE)
            ) from error
        hint = database_error_hint(reason) or "check that the MLflow server is running and reachable"
        raise fault(message, hint) from error


def find_or_create_experiment(client: Any, name: str, artifact_location: Optional[str]) -> str:
    """Return the ID of the experiment with this name. If another process creates it at the same time, return that one.

    Raises:
        LaunchError: The experiment was deleted, or the server denies access or failed.
    """
    from mlflow.exceptions import MlflowException

    with tracking_errors("open experiment {!r}".format(name)):
        experiment = client.get_experiment_by_name(name)
        if experiment is None:
            try:
                return str(client.create_experiment(name, artifact_location=artifact_location))
            except MlflowException as error:
                experiment = client.get_experiment_by_name(name)
                if error.error_code != "RESOURCE_ALREADY_EXISTS" or experiment is None:
                    raise
    if experiment.lifecycle_stage == "deleted":
        raise user_error(
            "the MLflow experiment {!r} was deleted".format(name),
            "restore it (mlflow experiments restore --experiment-id {}) or rename the model".format(
                experiment.experiment_id
            ),
        )
    return str(experiment.experiment_id)


def create_run(client: Any, experiment_id: str, tags: Dict[str, str], parameters: Dict[str, str]) -> str:
    """Create a run with tags and parameters, and return its ID. The tag `mlflow.runName` names it.

    Raises:
        LaunchError: The server denies access or failed.
    """
    from mlflow.entities import Param

    with tracking_errors("create a run"):
        run_id = str(client.create_run(experiment_id, tags=tags).info.run_id)
    try:
        with tracking_errors("log the hyperparameters"):
            client.log_batch(run_id, params=[Param(name, value) for name, value in parameters.items()])
    except LaunchError:
        end_if_running(client, run_id, "FAILED")
        raise
    return run_id


def end_if_running(client: Any, run_id: str, status: str) -> None:
    """Set the status of a run that is still running. Errors are ignored, because the training has ended anyway."""
    try:
        with tracking_errors("end the run"):
            if client.get_run(run_id).info.status == "RUNNING":
                client.set_terminated(run_id, status)
    except LaunchError:
        pass


def _shorten(text: str) -> str:
    text = without_credentials(" ".join(text.split()))
    return text if len(text) <= _MAX_ERROR_LENGTH else text[: _MAX_ERROR_LENGTH - 3] + "..."
