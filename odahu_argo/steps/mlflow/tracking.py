"""The MLflow tracking server: experiments, runs and logged models, and its errors as user errors or transient faults."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from odahu_argo.contract import TRACKING_VARIABLE
from odahu_argo.errors import ServiceFault, UserError
from odahu_argo.steps.mlflow.database import database_error_hint, database_error_reason
from odahu_argo.steps.runtime import environment
from odahu_argo.uri import without_credentials

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

_RETRIES_VARIABLE = "MLFLOW_HTTP_REQUEST_MAX_RETRIES"
_TIMEOUT_VARIABLE = "MLFLOW_HTTP_REQUEST_TIMEOUT"
_CONNECT_RETRIES = "2"
"""MLflow's default of 7 retries takes minutes, and the step is retried as a whole anyway."""
_MAX_ERROR_LENGTH = 400


@dataclass(frozen=True, slots=True)
class RunModel:
    """A model that a run has logged, and the URIs of its files. Files at a later URI replace those at an earlier one.

    MLflow's combined address `runs:/<run>/<name>` is not used: it hides when one of the locations cannot be read.
    """

    name: str
    locations: tuple[str, ...]


def connect() -> MlflowClient:
    """Connect to the tracking server in `MLFLOW_TRACKING_URI` and check that it responds; silence MLflow's own messages.

    Raises:
        UserError: The variable is not set, or the server denies access.
        ServiceFault: The server cannot be reached.
    """
    uri = os.environ.get(TRACKING_VARIABLE, "").strip()
    if not uri:
        raise UserError(
            f"{TRACKING_VARIABLE} is not set", hint="set the MLflow server in the profile or in the training's envs"
        )
    quiet_mlflow()
    from mlflow import MlflowClient

    retries = os.environ.get(_RETRIES_VARIABLE, _CONNECT_RETRIES)
    with environment({_RETRIES_VARIABLE: retries}), tracking_errors("reach the tracking server"):
        client = MlflowClient(tracking_uri=uri)
        client.search_experiments(max_results=1)
    return client


def short_requests() -> AbstractContextManager[None]:
    """Limit MLflow's requests within a `with` block to one attempt of 5 seconds, for use after SIGTERM."""
    return environment({_RETRIES_VARIABLE: "0", _TIMEOUT_VARIABLE: "5"})


def quiet_mlflow() -> None:
    """Suppress log messages of MLflow and its database migrations below warnings."""
    os.environ.setdefault("GIT_PYTHON_REFRESH", "quiet")
    import mlflow  # noqa: F401  # configures its loggers

    for name in ("mlflow", "alembic"):
        logging.getLogger(name).setLevel(logging.WARNING)


@contextmanager
def tracking_errors(action: str) -> Iterator[None]:
    """Map errors of MLflow's client to `UserError` (denied, not found) and `ServiceFault` (unreachable, server error)."""
    from mlflow.exceptions import MlflowException
    from requests.exceptions import RequestException

    try:
        yield
    except (MlflowException, RequestException) as error:
        mlflow_error: Any = error
        status = mlflow_error.get_http_status_code() if isinstance(error, MlflowException) else 503
        server = without_credentials(os.environ.get(TRACKING_VARIABLE, ""))
        reason = database_error_reason(str(error))
        message = f"cannot {action} at {server}: {_shorten(reason)}"
        if status < 500 and status != 429:
            raise UserError(
                message, hint=f"check {TRACKING_VARIABLE} and the credentials for the MLflow server"
            ) from error
        hint = database_error_hint(reason) or "check that the MLflow server is running and reachable"
        raise ServiceFault(message, hint) from error


def find_or_create_experiment(client: MlflowClient, name: str, artifact_location: str | None) -> str:
    """Return the ID of the experiment with this name. If another process creates it at the same time, return that one.

    Raises:
        UserError: The experiment was deleted, or the server denies access.
        ServiceFault: The server failed.
    """
    from mlflow.exceptions import MlflowException

    with tracking_errors(f"open experiment {name!r}"):
        experiment = client.get_experiment_by_name(name)
        if experiment is None:
            try:
                return str(client.create_experiment(name, artifact_location=artifact_location))
            except MlflowException as error:
                experiment = client.get_experiment_by_name(name)
                if error.error_code != "RESOURCE_ALREADY_EXISTS" or experiment is None:
                    raise
    if experiment.lifecycle_stage == "deleted":
        raise UserError(
            f"the MLflow experiment {name!r} was deleted",
            hint=f"restore it (mlflow experiments restore --experiment-id {experiment.experiment_id}) or rename the model",
        )
    return str(experiment.experiment_id)


def logged_models(client: MlflowClient, run: Run) -> list[RunModel]:
    """Return the models that the run logged with `log_model`, by name; of several with one name, the latest.

    Raises:
        UserError: The server denies access.
        ServiceFault: The server failed.
    """
    artifacts = run.info.artifact_uri
    with tracking_errors("read the run's models"):
        ids = {output.model_id for output in (run.outputs.model_outputs if run.outputs else [])}
        logged = [client.get_logged_model(model_id) for model_id in ids]
    models = {
        model.name: RunModel(model.name, (f"{artifacts}/{model.name}", model.artifact_location))
        for model in sorted(logged, key=lambda model: model.creation_timestamp)
        if str(model.status) != "FAILED"
    }
    if not models:
        models = {name: RunModel(name, (f"{artifacts}/{name}",)) for name in _model_history(run.data.tags)}
    return [model for _, model in sorted(models.items())]


def _model_history(tags: Mapping[str, str]) -> list[str]:
    """Return the names of models logged by MLflow 1 or 2, which stored models as artifacts and listed them in a tag."""
    history = json.loads(tags.get("mlflow.log-model.history", "[]"))
    return sorted({entry["artifact_path"] for entry in history})


def _shorten(text: str) -> str:
    text = without_credentials(" ".join(text.split()))
    return text if len(text) <= _MAX_ERROR_LENGTH else text[: _MAX_ERROR_LENGTH - 3] + "..."
