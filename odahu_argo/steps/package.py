"""The step `package`: the trained model as ODAHU's zip, sent to the output connection."""

from __future__ import annotations

import shutil
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from odahu_argo.artifact_name import render
from odahu_argo.contract import ARTIFACT_NAME, RUN_ID, PackageSpec, Room
from odahu_argo.errors import OdahuArgoError, ServiceFault, UserError
from odahu_argo.steps.archive import write_zip
from odahu_argo.steps.connection import read_connection
from odahu_argo.steps.log import log
from odahu_argo.steps.model_binary import MODEL_FOLDER, Identity, complete
from odahu_argo.steps.progress import Percentage, human_size
from odahu_argo.steps.surroundings import environment
from odahu_argo.steps.tracking import RunModel, connect, models_of, tracking_errors
from odahu_argo.storage.disk import disk_errors
from odahu_argo.storage.opening import open_store
from odahu_argo.storage.s3_errors import s3_errors
from odahu_argo.uri import without_credentials

if TYPE_CHECKING:
    from mlflow import MlflowClient

_say = partial(log, "package")


def run(spec: PackageSpec, room: Room) -> None:
    """Fetch the run's model and samples, lay them out, zip, upload; the name is recorded before the upload.

    A further attempt uploads under the name that the first has drawn, so that there is one object in the end.

    Raises:
        UserError: there is no run or not one usable model, a sample is no table, or the output connection is wrong.
        ServiceFault: tracking server, object store, network or disk failed.
    """
    run_id = room.read_result(RUN_ID)
    if run_id is None:
        raise UserError(
            "there is no MLflow run to package", hint="the step train must run first, in the same workspace"
        )
    store, path = open_store(read_connection(room, spec.connection))

    folder = room.workspace / "package"
    with disk_errors(folder):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
    with environment(spec.environment):
        model = _only_model(connect(), run_id)
        _say(f"fetching model {model.name!r} of run {run_id}")
        _fetch(model, folder / "content" / MODEL_FOLDER)
    complete(folder / "content", Identity(spec.model_name, spec.model_version, spec.toolchain, run_id))

    name = _artifact_name(spec, room)
    archive = folder / "model.zip"
    write_zip(folder / "content", archive)
    size = archive.stat().st_size
    key = "/".join(part for part in (path.strip("/"), name) if part)
    _say(f"uploading {human_size(size)} to {store.url(key)}")
    started = time.monotonic()
    store.upload(archive, key, Percentage(size, _say))
    _say(f"done: {store.url(key)}, {size} bytes, {time.monotonic() - started:.1f} s")
    shutil.rmtree(folder, ignore_errors=True)


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


def _artifact_name(spec: PackageSpec, room: Room) -> str:
    earlier = room.read_result(ARTIFACT_NAME)
    if earlier is not None:
        return earlier
    name = render(spec.artifact_name_template, spec.model_name, spec.model_version, str(uuid.uuid4()))
    room.write_result(ARTIFACT_NAME, name)
    return name
