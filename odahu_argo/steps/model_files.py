"""The files of a model that a run has logged, fetched from wherever MLflow keeps them."""

from __future__ import annotations

import shutil
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit

from odahu_argo.contract import Room
from odahu_argo.errors import OdahuArgoError, ServiceFault, UserError
from odahu_argo.steps.surroundings import environment
from odahu_argo.steps.tracking import RunModel, tracking_errors
from odahu_argo.storage.disk import disk_errors, link_or_copy
from odahu_argo.storage.s3_errors import s3_errors
from odahu_argo.uri import without_credentials


def fetch(model: RunModel, target: Path, room: Room, only: Collection[str] = ()) -> None:
    """Put the model's files and what was logged beside them into one new folder; with `only` just those of these names.

    Where they lie on this machine they get a second name, no copy, and symbolic links stay links: the training must not
    lead this step to files that only this step can read.

    Raises:
        UserError, ServiceFault: tracking server, artifact store, network or disk refused us or failed.
    """
    import mlflow.artifacts

    quiet = {"MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false"}
    landing = target.with_name(f"{target.name}-landing")
    shutil.rmtree(landing, ignore_errors=True)
    target.mkdir(parents=True)
    with environment(quiet), disk_errors(target):
        for place in model.places:
            shown = without_credentials(place)
            with _unknown_store_errors(shown), s3_errors("fetch", shown), tracking_errors(f"fetch {shown}"):
                there = mlflow.artifacts.list_artifacts(artifact_uri=place)
                if not there:
                    continue
                if not only and urlsplit(place).scheme in ("", "file"):
                    stored = Path(mlflow.artifacts.download_artifacts(artifact_uri=place)).resolve()
                    _require_apart(stored, room.connections.resolve(), shown)
                    shutil.copytree(stored, target, symlinks=True, copy_function=link_or_copy, dirs_exist_ok=True)
                    continue
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
