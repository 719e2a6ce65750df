"""Removing what trainings have left: workspace, logs and record."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from urllib.parse import unquote, urlsplit

from odahu_argo.errors import ServiceFault, UserError
from odahu_argo.local.begin import clear_remains
from odahu_argo.local.folders import remove_folder
from odahu_argo.local.home import Home
from odahu_argo.local.lock import is_held, read_training, read_trainings, training_lock
from odahu_argo.local.records import Training
from odahu_argo.local.store import Store, now


@dataclass(frozen=True, slots=True)
class Removed:
    """A training that is gone from this machine, or a file of one, and how many bytes there were."""

    id: str
    size: int


def removable(home: Home, training_id: str | None, older_than: int | None) -> list[Training]:
    """The trainings to remove: the one of this id or all, last changed more than `older_than` seconds ago, none running.

    Raises:
        UserError: there is no training of this id, or it is running.
    """
    trainings = [read_training(home, training_id)] if training_id else read_trainings(home)
    if training_id and is_held(home, training_id):
        raise UserError(f"training {training_id!r} is running", hint="stop it first")
    ended = [each for each in trainings if not each.is_live]
    if older_than is None:
        return ended
    limit = datetime.fromisoformat(now()) - timedelta(seconds=older_than)
    return [each for each in ended if datetime.fromisoformat(each.updated) <= limit]


def remove(home: Home, training_id: str) -> Removed:
    """Remove workspace, logs and record. The zip, and MLflow's record of the run, stay.

    Raises:
        UserError: the training is running.
        ServiceFault: a file cannot be removed.
    """
    folder = home.run(training_id).root
    with training_lock(home, training_id):
        clear_remains(home, training_id)
        size = _size(folder)
        try:
            remove_folder(folder)
        except OSError as error:
            raise ServiceFault(f"{error.filename} cannot be removed: {error.strerror}") from error
        Store(home.trainings).remove(training_id)
    return Removed(training_id, size)


def file_of(training: Training) -> Path | None:
    """The zip that a training has left on this machine; None where it left none, or it is gone."""
    address = urlsplit(training.artifact_uri)
    file = Path(unquote(address.path))
    return file if address.scheme == "file" and file.is_file() else None


def remove_artifacts(home: Home, output_dir: Path | None = None) -> list[Removed]:
    """Remove the zips in the home's own folder, and of those in `output_dir` the ones that trainings of this home have left.

    Raises:
        UserError: a training is running.
        ServiceFault: a file cannot be removed.
    """
    trainings = read_trainings(home)
    for training in trainings:
        if training.is_live:
            raise UserError(f"training {training.id!r} is running", hint="stop it first")
    folders = [home.artifacts, *([output_dir.absolute()] if output_dir else ())]
    files = {file for each in trainings if (file := file_of(each)) and any(file.is_relative_to(f) for f in folders)}
    files.update(file for file in home.artifacts.rglob("*") if file.is_file())
    removed = []
    try:
        for file in sorted(files):
            removed.append(Removed(file.name, file.lstat().st_size))
            file.unlink()
    except OSError as error:
        raise ServiceFault(f"{error.filename} cannot be removed: {error.strerror}") from error
    return removed


def _size(folder: Path) -> int:
    return sum((Path(parent) / name).lstat().st_size for parent, _, names in os.walk(folder) for name in names)
