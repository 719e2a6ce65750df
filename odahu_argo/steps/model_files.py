"""The files of a model that a run has logged, fetched from wherever MLflow keeps them."""

from __future__ import annotations

import os
import shutil
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit
from urllib.request import url2pathname

from odahu_argo.contract import MLFLOW_ARTIFACTS_VARIABLE, Workspace
from odahu_argo.errors import OdahuArgoError, ServiceFault, UserError
from odahu_argo.steps.surroundings import environment
from odahu_argo.steps.tracking import RunModel, tracking_errors
from odahu_argo.storage.disk import disk_errors, link_or_copy
from odahu_argo.uri import without_credentials


def fetch(model: RunModel, target: Path, workspace: Workspace, only: Collection[str] = ()) -> None:
    """Put the model's files and what was logged beside them into one new folder; with `only` just those of these names.

    Where they lie on this machine they get a second name, no copy, and symbolic links stay links: the training must not
    lead this step to files that only this step can read.

    Raises:
        UserError, ServiceFault: tracking server, artifact store, network or disk refused us or failed.
    """
    target.mkdir(parents=True)
    with disk_errors(target):
        for place in model.places:
            shown = without_credentials(place)
            folder = folder_of(place)
            if folder is None:
                _ask_mlflow(place, target, workspace, only, shown)
            elif folder.is_dir():
                _take(folder, target, workspace, only, shown)


def folder_of(place: str) -> Path | None:
    """A place among the artifacts that the engine keeps on this machine; None for any other, which MLflow must find."""
    root, folder = _path(os.environ.get(MLFLOW_ARTIFACTS_VARIABLE, "")), _path(place)
    return folder if root and folder and folder.is_relative_to(root) else None


def _path(uri: str) -> Path | None:
    parts = urlsplit(uri)
    return Path(url2pathname(parts.path)).resolve() if parts.scheme == "file" and not parts.netloc else None


def _take(folder: Path, target: Path, workspace: Workspace, only: Collection[str], shown: str) -> None:
    """From a folder of this machine."""
    if only:
        for name in only:
            if (folder / name).is_file():
                shutil.copyfile(folder / name, target / name)
        return
    _require_apart(folder, workspace.connections.resolve(), shown)
    shutil.copytree(folder, target, symlinks=True, copy_function=link_or_copy, dirs_exist_ok=True)


def _ask_mlflow(place: str, target: Path, workspace: Workspace, only: Collection[str], shown: str) -> None:
    import mlflow.artifacts

    from odahu_argo.storage.s3 import boto3_errors

    quiet = {"MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false"}
    landing = target.with_name(f"{target.name}-landing")
    shutil.rmtree(landing, ignore_errors=True)
    with (
        environment(quiet),
        _unknown_store_errors(shown),
        boto3_errors("fetch", shown, "the artifact store"),
        tracking_errors(f"fetch {shown}"),
    ):
        there = mlflow.artifacts.list_artifacts(artifact_uri=place)
        if not there:
            return
        if not only and urlsplit(place).scheme in ("", "file"):
            _take(
                Path(mlflow.artifacts.download_artifacts(artifact_uri=place)).resolve(), target, workspace, only, shown
            )
            return
        landing.mkdir()
        if only:
            for name in {PurePosixPath(each.path).name for each in there} & set(only):
                mlflow.artifacts.download_artifacts(artifact_uri=f"{place}/{name}", dst_path=str(landing))
            fetched = str(landing)
        else:
            fetched = mlflow.artifacts.download_artifacts(artifact_uri=place, dst_path=str(landing))
    shutil.copytree(fetched, target, copy_function=shutil.move, dirs_exist_ok=True)
    shutil.rmtree(landing)


def _require_apart(stored: Path, secrets: Path, shown: str) -> None:
    """Without a tracking server the training itself writes where its model lies."""
    if stored.is_relative_to(secrets) or secrets.is_relative_to(stored):
        raise UserError(
            f"{shown} holds connections, and cannot be a model", hint="log the model with mlflow's log_model"
        )


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
