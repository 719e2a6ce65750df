"""State of local trainings, corrected for processes that ended without recording a result."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from odahu_argo.errors import NotFound
from odahu_argo.local.home import Home
from odahu_argo.local.lock import is_locked
from odahu_argo.local.store import LIVE_STATES, LocalTraining, StoredPage, TrainingStore


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
            entity=training_id,
        )
    return _verified(home, [training])[0]


def list_trainings(home: Home) -> list[LocalTraining]:
    """Return all trainings, newest first, with states as in `get_training`."""
    return _verified(home, TrainingStore(home.store_file).all())


def list_page(
    home: Home,
    number: int,
    size: int,
    filters: Mapping[str, Collection[str]],
    is_newest_first: bool = True,
    is_summary: bool = False,
    words: Sequence[str] = (),
) -> StoredPage:
    """Return a page of the trainings, as `TrainingStore.page` does, with states as in `get_training`."""
    store = TrainingStore(home.store_file)
    abandoned = [training_id for training_id in store.ids(LIVE_STATES) if not is_locked(home, training_id)]
    page = store.page(number, size, filters, abandoned, is_newest_first, is_summary, words)
    trainings = [
        training.abandoned() if training.is_live and training.id in abandoned else training
        for training in page.trainings
    ]
    return replace(page, trainings=trainings)


def _verified(home: Home, trainings: Sequence[LocalTraining]) -> list[LocalTraining]:
    suspected = [training.id for training in trainings if training.is_live and not is_locked(home, training.id)]
    if not suspected:
        return list(trainings)
    # The runs may have recorded their results between the read of the records and the check of the locks.
    latest = {training.id: training for training in TrainingStore(home.store_file).select(suspected)}
    verified = {name: training.abandoned() if training.is_live else training for name, training in latest.items()}
    return [verified.get(training.id, training) for training in trainings]
