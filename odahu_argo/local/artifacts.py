"""Trained models of local trainings: directories with ODAHU's project file, as odahuflowctl leaves and lists them."""

from __future__ import annotations

import shutil
from pathlib import Path
from urllib.parse import unquote, urlsplit

from odahu_argo.errors import ServiceFault, UserError
from odahu_argo.local.home import Home
from odahu_argo.local.manage import RemovedItem, size_of
from odahu_argo.local.queries import list_trainings
from odahu_argo.steps.output import PROJECT_FILE


def trained_models(folder: Path) -> list[Path]:
    """Return the directories of trained models in a folder, sorted by name. A folder that does not exist has none."""
    if not folder.is_dir():
        return []
    return sorted(path for path in folder.iterdir() if path.is_dir() and (path / PROJECT_FILE).is_file())


def remove_trained_models(home: Home, output_dir: Path | None = None) -> list[RemovedItem]:
    """Remove everything in the home's artifact folder, and from `output_dir` trained models and archives of this home.

    Raises:
        UserError: a training is running.
        ServiceFault: a file cannot be removed.
    """
    trainings = list_trainings(home)
    for training in trainings:
        if training.is_live:
            raise UserError(f"training {training.id!r} is running", hint="stop it first")
    found = set(home.artifacts.iterdir()) if home.artifacts.is_dir() else set()
    if output_dir is not None:
        found.update(trained_models(output_dir.absolute()))
        archives = filter(None, (_local_file(training.artifact_uri) for training in trainings))
        found.update(file for file in archives if file.parent == output_dir.absolute())
    return [_remove(path) for path in sorted(found)]


def _local_file(artifact_uri: str) -> Path | None:
    """Return the path of an archive if its URI refers to a file that exists on this machine."""
    uri = urlsplit(artifact_uri)
    file = Path(unquote(uri.path))
    return file if uri.scheme == "file" and file.is_file() else None


def _remove(path: Path) -> RemovedItem:
    is_directory = path.is_dir() and not path.is_symlink()
    try:
        removed = RemovedItem(path.name, size_of(path) if is_directory else path.lstat().st_size)
        if is_directory:
            shutil.rmtree(path)
        else:
            path.unlink()
    except OSError as error:
        raise ServiceFault(f"cannot remove {error.filename}: {error.strerror}") from error
    return removed
