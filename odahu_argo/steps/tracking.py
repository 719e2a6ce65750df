"""The MLflow tracking server: experiments, runs and their models, and its errors in plain words."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from odahu_argo.contract import TRACKING_VARIABLE
from odahu_argo.errors import ServiceFault, UserError
from odahu_argo.steps.surroundings import environment
from odahu_argo.uri import without_credentials

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

_RETRIES_VARIABLE = "MLFLOW_HTTP_REQUEST_MAX_RETRIES"
_FIRST_CONTACT_RETRIES = "2"
"""MLflow's own 7 take minutes; the step as a whole is tried again anyway."""


@dataclass(frozen=True, slots=True)
class RunModel:
    """A model that a run has logged, and the places that hold its files; in case of doubt the last place is right.

    MLflow's own address for both, `runs:/<run>/<name>`, hides it when one of them cannot be fetched.
    """

    name: str
    places: tuple[str, ...]


def connect() -> MlflowClient:
    """The tracking server that `MLFLOW_TRACKING_URI` names; it has answered once, and MLflow's own chatter is off.

    Raises:
        UserError: no server is named, or it refuses us.
        ServiceFault: it cannot be reached.
    """
    uri = os.environ.get(TRACKING_VARIABLE, "").strip()
    if not uri:
        raise UserError(
            f"{TRACKING_VARIABLE} is not set", hint="the profile or the training's envs must name the MLflow server"
        )
    quiet_mlflow()
    from mlflow import MlflowClient

    retries = os.environ.get(_RETRIES_VARIABLE, _FIRST_CONTACT_RETRIES)
    with environment({_RETRIES_VARIABLE: retries}), tracking_errors("reach the tracking server"):
        client = MlflowClient(tracking_uri=uri)
        client.search_experiments(max_results=1)
    return client


def quiet_mlflow() -> None:
    """Leave only warnings of MLflow and its database migrations in this process's log."""
    os.environ.setdefault("GIT_PYTHON_REFRESH", "quiet")
    import mlflow  # noqa: F401  # configures its loggers

    for name in ("mlflow", "alembic"):
        logging.getLogger(name).setLevel(logging.WARNING)


@contextmanager
def tracking_errors(doing: str) -> Iterator[None]:
    """Turn what MLflow's client raises into `UserError` (refused, unknown) or `ServiceFault` (unreachable, failing)."""
    from mlflow.exceptions import MlflowException
    from requests.exceptions import RequestException

    try:
        yield
    except (MlflowException, RequestException) as error:
        failure: Any = error
        status = failure.get_http_status_code() if isinstance(error, MlflowException) else 503
        server = without_credentials(os.environ.get(TRACKING_VARIABLE, ""))
        message = f"cannot {doing} at {server}: {_first_words(str(error))}"
        if status < 500 and status != 429:
            raise UserError(
                message, hint=f"check {TRACKING_VARIABLE} and the credentials for the MLflow server"
            ) from error
        raise ServiceFault(message, hint="check that the MLflow server runs and can be reached from here") from error


def experiment_id(client: MlflowClient, name: str, artifact_location: str | None) -> str:
    """The experiment of this name, created where there is none; another process may be creating it at the same time.

    Raises:
        UserError: the experiment was deleted, or the server refuses us.
        ServiceFault: the server failed.
    """
    from mlflow.exceptions import MlflowException

    with tracking_errors(f"open experiment {name!r}"):
        found = client.get_experiment_by_name(name)
        if found is None:
            try:
                return str(client.create_experiment(name, artifact_location=artifact_location))
            except MlflowException as error:
                found = client.get_experiment_by_name(name)
                if error.error_code != "RESOURCE_ALREADY_EXISTS" or found is None:
                    raise
    if found.lifecycle_stage == "deleted":
        raise UserError(
            f"the MLflow experiment {name!r} was deleted",
            hint=f"restore it: mlflow experiments restore --experiment-id {found.experiment_id}; or rename the model",
        )
    return str(found.experiment_id)


def models_of(client: MlflowClient, run: Run) -> list[RunModel]:
    """The models that the run has logged with `log_model`, by name; of several under one name the latest.

    Raises:
        UserError, ServiceFault: the server refused us or failed.
    """
    artifacts = run.info.artifact_uri
    with tracking_errors("read the run's models"):
        ids = {output.model_id for output in (run.outputs.model_outputs if run.outputs else [])}
        logged = [client.get_logged_model(model_id) for model_id in ids]
    latest = {
        model.name: RunModel(model.name, (f"{artifacts}/{model.name}", model.artifact_location))
        for model in sorted(logged, key=lambda model: model.creation_timestamp)
        if str(model.status) != "FAILED"
    }
    older = {name: RunModel(name, (f"{artifacts}/{name}",)) for name in _older_models(run.data.tags)}
    return [model for _, model in sorted((latest or older).items())]


def _older_models(tags: Mapping[str, str]) -> list[str]:
    """MLflow 1 and 2 kept their models as artifacts of the run and listed them in a tag."""
    history = json.loads(tags.get("mlflow.log-model.history", "[]"))
    return sorted({entry["artifact_path"] for entry in history})


def _first_words(text: str) -> str:
    text = without_credentials(" ".join(text.split()))
    return text if len(text) <= 400 else text[:397] + "..."
