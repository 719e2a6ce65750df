"""The files of a logged model: fetching them from MLflow's artifact store or this machine, and passing on their location."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

from odahu_argo.contract import MLFLOW_ARTIFACTS_VARIABLE, Workspace
from odahu_argo.errors import OdahuArgoError, ServiceFault, UserError
from odahu_argo.steps.mlflow.tracking import RunModel, tracking_errors
from odahu_argo.steps.runtime import check_stopped, environment
from odahu_argo.storage.disk import disk_errors, link_or_copy
from odahu_argo.uri import without_credentials

_REFERENCE_FILE = "trained-model.json"


def fetch_model(model: RunModel, target: Path, workspace: Workspace) -> None:
    """Copy the model's files, and artifacts logged beside them, to a new directory.

    Files on this machine are hard-linked instead of copied. Symbolic links stay links: a training must not be able to add
    files to its model that only this step can read.

    Raises:
        UserError: The tracking server or the artifact store denies access, or the location is not a model.
        ServiceFault: The tracking server, the artifact store, the network or the disk failed.
    """
    target.mkdir(parents=True)
    with disk_errors(target):
        for location in model.locations:
            check_stopped()
            directory = local_artifact_directory(location)
            if directory is None:
                _download_artifacts(location, target, workspace)
            elif directory.is_dir():
                _copy_directory(directory, target, workspace, without_credentials(location))


def save_model_reference(workspace: Workspace, run_id: str, model: RunModel) -> None:
    """Record the run's only model, so that the step `package` need not import MLflow, which takes seconds."""
    text = json.dumps({"run": run_id, "name": model.name, "places": model.locations})
    (workspace.root / _REFERENCE_FILE).write_text(text, encoding="utf-8")


def load_model_reference(workspace: Workspace, run_id: str) -> RunModel | None:
    """Return the recorded model of this run, or None if there is none or MLflow is required to fetch it."""
    try:
        reference = json.loads((workspace.root / _REFERENCE_FILE).read_text(encoding="utf-8"))
        model = RunModel(str(reference["name"]), tuple(map(str, reference["places"])))
        is_of_run = reference["run"] == run_id
    except (OSError, ValueError, KeyError, TypeError):
        return None
    are_local = all(local_artifact_directory(location) is not None for location in model.locations)
    return model if is_of_run and are_local else None


def local_artifact_directory(location: str) -> Path | None:
    """Return the directory of a location below this machine's artifact root, or None for any other location."""
    root, directory = _local_path(os.environ.get(MLFLOW_ARTIFACTS_VARIABLE, "")), _local_path(location)
    return directory if root and directory and directory.is_relative_to(root) else None


def _local_path(uri: str) -> Path | None:
    parts = urlsplit(uri)
    return Path(url2pathname(parts.path)).resolve() if parts.scheme == "file" and not parts.netloc else None


def _copy_directory(directory: Path, target: Path, workspace: Workspace, location: str) -> None:
    _require_separate(directory, workspace.connections.resolve(), location)
    shutil.copytree(directory, target, symlinks=True, copy_function=link_or_copy, dirs_exist_ok=True)


def _require_separate(directory: Path, connections: Path, location: str) -> None:
    """Reject a location that overlaps with the connections: without a tracking server, the training itself records it."""
    if directory.is_relative_to(connections) or connections.is_relative_to(directory):
        raise UserError(
            f"{location} contains connections, and cannot be a model", hint="log the model with mlflow's log_model"
        )


def _download_artifacts(location: str, target: Path, workspace: Workspace) -> None:
    import mlflow.artifacts

    from odahu_argo.storage.s3 import boto3_errors

    location_in_errors = without_credentials(location)
    download_directory = target.with_name(f"{target.name}-download")
    shutil.rmtree(download_directory, ignore_errors=True)
    with (
        environment({"MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false"}),
        _artifact_store_errors(location_in_errors),
        boto3_errors("fetch", location_in_errors, "the artifact store"),
        tracking_errors(f"fetch {location_in_errors}"),
    ):
        if not mlflow.artifacts.list_artifacts(artifact_uri=location):
            return
        if urlsplit(location).scheme in ("", "file"):
            directory = Path(mlflow.artifacts.download_artifacts(artifact_uri=location)).resolve()
            _copy_directory(directory, target, workspace, location_in_errors)
            return
        download_directory.mkdir()
        downloaded = mlflow.artifacts.download_artifacts(artifact_uri=location, dst_path=str(download_directory))
    shutil.copytree(downloaded, target, copy_function=shutil.move, dirs_exist_ok=True)
    shutil.rmtree(download_directory)


@contextmanager
def _artifact_store_errors(location: str) -> Iterator[None]:
    """Map any other exception to `ServiceFault`: MLflow passes on those of the SDKs of a dozen artifact stores."""
    try:
        yield
    except (OdahuArgoError, OSError):
        raise
    except Exception as error:
        raise ServiceFault(
            f"cannot fetch {location}: {type(error).__name__}", "check the artifact store of MLflow"
        ) from error
