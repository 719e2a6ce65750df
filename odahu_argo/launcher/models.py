"""The models that a run has logged, and their files."""

import json
import os
import shutil
from typing import Any, List, Mapping, NamedTuple, Optional, Tuple
from urllib.parse import urlsplit
from urllib.request import url2pathname

from odahu_argo.launcher.program import check_stopped
from odahu_argo.launcher.report import LaunchError, LaunchStopped, fault
from odahu_argo.launcher.tracking import tracking_errors, variables
from odahu_argo.uri import without_credentials

RUN_TAG = "odahu_argo_run"
"""Tag of models that the training program logs. It finds models that were logged without an active run."""


class RunModel(NamedTuple):
    """A model that a run has logged, and the URIs of its files. Files at a later URI replace those at an earlier one.

    MLflow's combined address `runs:/<run>/<name>` is not used: it hides when one of the locations cannot be read.
    """

    name: str
    locations: Tuple[str, ...]


def logged_models(client: Any, run: Any) -> List[RunModel]:
    """Return the models that the run logged, by name; of several with one name, the latest.

    MLflow 3 has records of logged models. MLflow 1 and 2 store models as artifacts of the run and list them in a tag. Models
    that `save_model` and `log_artifacts` stored are recognized by their file `MLmodel`.

    Raises:
        LaunchError: The server denies access or failed.
    """
    artifacts = run.info.artifact_uri
    with tracking_errors("read the run's models"):
        logged = _logged_models_of_mlflow_3(client, run)
        models = {
            model.name: RunModel(model.name, (artifacts + "/" + model.name, model.artifact_location))
            for model in sorted(logged, key=lambda model: model.creation_timestamp)
            if str(model.status) not in ("FAILED", "LoggedModelStatus.FAILED")
        }
        if not models:
            names = _model_history(run.data.tags) or _models_among_artifacts(client, run.info.run_id)
            models = {name: RunModel(name, (artifacts + "/" + name,)) for name in names}
    return [model for _, model in sorted(models.items())]


def _logged_models_of_mlflow_3(client: Any, run: Any) -> List[Any]:
    outputs = getattr(run, "outputs", None)
    ids = {output.model_id for output in (outputs.model_outputs if outputs else [])}
    return [client.get_logged_model(model_id) for model_id in sorted(ids)]


def adopt_models(client: Any, run: Any) -> Any:
    """Link models that the program logged without an active run to its run, and return the run.

    With MLflow 3, `log_model` as the first call of a script starts no run.

    Raises:
        LaunchError: The server denies access or failed.
    """
    if not hasattr(client, "search_logged_models"):
        return run
    from mlflow.entities import LoggedModelOutput

    run_id = run.info.run_id
    with tracking_errors("find the run's models"):
        found = client.search_logged_models(
            experiment_ids=[run.info.experiment_id], filter_string="tags.{} = '{}'".format(RUN_TAG, run_id)
        )
        lost = [model for model in found if not model.source_run_id]
        if not lost:
            return run
        client.log_outputs(run_id, models=[LoggedModelOutput(model.model_id, step=0) for model in lost])
        return client.get_run(run_id)


def _model_history(tags: Mapping[str, str]) -> List[str]:
    history = json.loads(tags.get("mlflow.log-model.history", "[]"))
    return sorted({entry["artifact_path"] for entry in history})


def _models_among_artifacts(client: Any, run_id: str) -> List[str]:
    directories = [artifact.path for artifact in client.list_artifacts(run_id) if artifact.is_dir]
    return [
        path
        for path in directories
        if any(artifact.path == path + "/MLmodel" for artifact in client.list_artifacts(run_id, path))
    ]


def fetch_model(client: Any, run_id: str, model: RunModel, target: str) -> None:
    """Copy the model's files, and artifacts logged beside them, to a new directory.

    Files on this machine are hard-linked instead of copied.

    Raises:
        LaunchError: The tracking server or the artifact store denies access or failed, or the disk is full.
    """
    shutil.rmtree(target, ignore_errors=True)
    os.makedirs(target)
    for location in model.locations:
        check_stopped()
        directory = _local_directory(location)
        if directory is None:
            _download(client, run_id, model, location, target)
        elif os.path.isdir(directory):
            copy_tree(directory, target)


def _local_directory(location: str) -> Optional[str]:
    parts = urlsplit(location)
    if parts.scheme == "file" and not parts.netloc:
        return url2pathname(parts.path)
    return location if parts.scheme == "" else None


def copy_tree(source: str, target: str) -> None:
    """Copy a directory into an existing one. Symbolic links stay links; later files replace earlier ones."""
    for directory, names, files in os.walk(source):
        relative = os.path.relpath(directory, source)
        links = [name for name in names if os.path.islink(os.path.join(directory, name))]
        os.makedirs(os.path.join(target, relative), exist_ok=True)
        for name in files + links:
            _copy_file(os.path.join(directory, name), os.path.join(target, relative, name))


def _copy_file(source: str, target: str) -> None:
    if os.path.lexists(target):
        os.unlink(target)
    try:
        os.link(source, target, follow_symlinks=False)
    except OSError:
        shutil.copy2(source, target, follow_symlinks=False)


def _download(client: Any, run_id: str, model: RunModel, location: str, target: str) -> None:
    shown = without_credentials(location)
    download = target + "-download"
    shutil.rmtree(download, ignore_errors=True)
    os.makedirs(download)
    is_of_run = location == model.locations[0] and len(model.locations) > 1
    try:
        with variables({"MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false"}), tracking_errors("fetch " + shown):
            if is_of_run and not any(item.path == model.name for item in client.list_artifacts(run_id)):
                return
            downloaded = _download_artifacts(client, run_id, model, location, download)
        copy_tree(downloaded, target)
    except (LaunchError, LaunchStopped, OSError):
        raise
    except Exception as error:
        # MLflow passes on the exceptions of the SDKs of a dozen artifact stores.
        raise fault(
            "cannot fetch {}: {}: {}".format(shown, type(error).__name__, without_credentials(str(error))[:300]),
            "check the artifact store of MLflow and the training's credentials for it",
        ) from error
    finally:
        shutil.rmtree(download, ignore_errors=True)


def _download_artifacts(client: Any, run_id: str, model: RunModel, location: str, download: str) -> str:
    try:
        from mlflow.artifacts import download_artifacts
    except ImportError:
        return str(client.download_artifacts(run_id, model.name, download))
    return str(download_artifacts(artifact_uri=location, dst_path=download))
