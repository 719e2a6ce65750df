"""Read the state of local trainings."""

from __future__ import annotations

from odahu_argo.errors import UserError
from odahu_argo.local.home import Home
from odahu_argo.local.lock import is_locked
from odahu_argo.local.store import LocalTraining, TrainingStore


def get_training(home: Home, training_id: str) -> LocalTraining:
    """The training; its state is `unknown` where the process that ran it is gone without leaving a result.

    Raises:
        UserError: no such training was run here.
    """
    found = TrainingStore(home.store_file).get(training_id)
    if found is None:
        raise UserError(
            f"no training {training_id!r} was run on this machine",
            hint="odahu-argo local train list shows those that were",
        )
    return _as_it_is(home, found)


def list_trainings(home: Home) -> list[LocalTraining]:
    """Every training, the newest first, with states as in `read_training`."""
    return [_as_it_is(home, training) for training in TrainingStore(home.store_file).all()]


def _as_it_is(home: Home, training: LocalTraining) -> LocalTraining:
    if not training.is_live or is_locked(home, training.id):
        return training
    latest = TrainingStore(home.store_file).get(training.id) or training
    return latest.abandoned() if latest.is_live else latest
