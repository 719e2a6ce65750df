"""Removing what trainings have left: workspace, logs and record."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from odahu_argo.errors import ServiceFault, UserError
from odahu_argo.local.begin import clear_remains
from odahu_argo.local.folders import remove_folder
from odahu_argo.local.home import Home
from odahu_argo.local.lock import is_held, read_training, read_trainings, training_lock
from odahu_argo.local.records import Training
from odahu_argo.local.store import Store


@dataclass(frozen=True, slots=True)
class Removed:
    """A training that is gone from this machine, and how many bytes its files had."""

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
    limit = datetime.now(UTC) - timedelta(seconds=older_than or 0)
    return [each for each in trainings if not each.is_live and datetime.fromisoformat(each.updated) <= limit]


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


def _size(folder: Path) -> int:
    return sum((Path(parent) / name).lstat().st_size for parent, _, names in os.walk(folder) for name in names)
