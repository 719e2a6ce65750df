"""State of local trainings, corrected for processes that ended without recording a result."""

from __future__ import annotations

from odahu_argo.errors import NotFound
from odahu_argo.local.home import Home
from odahu_argo.local.lock import is_locked
from odahu_argo.local.store import LocalTraining, TrainingStore


def get_training(home: Home, training_id: str) -> LocalTraining:
    """Return a training. Its state is `unknown` if the process of its run ended without recording a result.

    Raises:
        NotFound: no such training has run on this machine.
    """
    training = TrainingStore(home.store_file).get(training_id)
    if training is None:
        raise NotFound(
            f"training {training_id!r} does not exist on this machine",
            hint="odahu-argo local train list lists trainings",
        )
    return _verified(home, training)


def list_trainings(home: Home) -> list[LocalTraining]:
    """Return all trainings, newest first, with states as in `get_training`."""
    return [_verified(home, training) for training in TrainingStore(home.store_file).all()]


def _verified(home: Home, training: LocalTraining) -> LocalTraining:
    if not training.is_live or is_locked(home, training.id):
        return training
    # The run may have recorded its result between the read of the record and the check of the lock.
    latest = TrainingStore(home.store_file).get(training.id) or training
    return latest.abandoned() if latest.is_live else latest
