"""The toolchain `mlflow`: an MLflow project that logs exactly one model, and ODAHU's trained model binary of it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from odahu_argo.contract import RUN_ID, PackageSpec, Room, TrainSpec
from odahu_argo.errors import OdahuArgoError, ServiceFault, UserError
from odahu_argo.steps.log import log
from odahu_argo.steps.mlflow_run import run_project
from odahu_argo.steps.model_binary import MODEL_FOLDER, Identity, complete
from odahu_argo.steps.surroundings import environment
from odahu_argo.steps.tracking import RunModel, connect, models_of, tracking_errors
from odahu_argo.storage.disk import disk_errors
from odahu_argo.storage.s3_errors import s3_errors
from odahu_argo.uri import without_credentials

if TYPE_CHECKING:
    from mlflow import MlflowClient


def train(spec: TrainSpec, room: Room) -> None:
    """Run the project and see that it has logged exactly one model.

    Raises:
        UserError: project or hyperparameters are wrong, the program failed, or did not log exactly one model.
        ServiceFault: the tracking server or the preparation of the environment failed.
    """
    client, finished = run_project(spec, room)
    models = models_of(client, finished)
    if len(models) != 1:
        listed = ", ".join(model.name for model in models)
        raise UserError(
            f"the run has logged {len(models)} models{': ' + listed if listed else ''}; exactly one is wanted",
            hint="call mlflow.<flavor>.log_model(...) once, within `with mlflow.start_run():`; autologging may log one too."
            " Where no model shall be logged, use the toolchain mlflow-project",
        )
    log("train", f"done: run {finished.info.run_id} has logged model {models[0].name!r}")


def fill(content: Path, spec: PackageSpec, room: Room) -> None:
    """Fetch the run's model and samples, and lay them out as ODAHU's packagers expect.

    Raises:
        UserError: the run has not exactly one usable model, or a sample is no table.
        ServiceFault: tracking server, artifact store, network or disk failed.
    """
    run_id = room.read_result(RUN_ID) or ""
    model = _only_model(connect(), run_id)
    log("package", f"fetching model {model.name!r} of run {run_id}")
    _fetch(model, content / MODEL_FOLDER)
    complete(content, Identity(spec.model_name, spec.model_version, spec.toolchain, run_id))


def _only_model(client: MlflowClient, run_id: str) -> RunModel:
    with tracking_errors(f"find run {run_id}"):
        found = client.get_run(run_id)
    models = models_of(client, found)
    if len(models) != 1:
        listed = ", ".join(model.name for model in models) or "none"
        raise UserError(f"run {run_id} must have exactly one model; it has {len(models)}: {listed}")
    return models[0]


def _fetch(model: RunModel, target: Path) -> None:
    """Put the model's files and what was logged beside them into one folder."""
    import mlflow.artifacts

    quiet = {"MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false"}
    landing = target.parent.parent / "fetched"
    target.mkdir(parents=True)
    with environment(quiet), disk_errors(target):
        for place in model.places:
            shown = without_credentials(place)
            with _unknown_store_errors(shown), s3_errors("fetch", shown), tracking_errors(f"fetch {shown}"):
                if not mlflow.artifacts.list_artifacts(artifact_uri=place):
                    continue
                landing.mkdir()
                fetched = mlflow.artifacts.download_artifacts(artifact_uri=place, dst_path=str(landing))
            shutil.copytree(fetched, target, copy_function=shutil.move, dirs_exist_ok=True)
            shutil.rmtree(landing)


@contextmanager
def _unknown_store_errors(place: str) -> Iterator[None]:
    """MLflow lets through whatever the SDK of its artifact store raises, of which there are a dozen kinds."""
    try:
        yield
    except (OdahuArgoError, OSError):
        raise
    except Exception as error:
        raise ServiceFault(
            f"cannot fetch {place}: {type(error).__name__}", "check the artifact store of MLflow"
        ) from error
