"""Trainings as they change, all of a namespace or one, on one watch; what is seen is remembered on the way."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from odahu_argo import naming
from odahu_argo.status.watch import Trouble, watch
from odahu_argo.submit.cluster import WORKFLOW, Cluster, NotFound, Unreachable
from odahu_argo.trainings import observe, record
from odahu_argo.trainings.model import Training
from odahu_argo.trainings.read import find_training, now


@dataclass(frozen=True, slots=True)
class Changed:
    """The training has changed: this is how it stands now."""

    training: Training


@dataclass(frozen=True, slots=True)
class Deleted:
    """The training was deleted, with all that was remembered of it."""

    training_id: str


@dataclass(frozen=True, slots=True)
class OutOfSight:
    """The API cannot be reached: until it can, states are unknown. `why` says what happened."""

    why: str


def watch_trainings(cluster: Cluster, training_id: str | None = None) -> Iterator[Changed | Deleted | OutOfSight]:
    """Every training that has a workflow, as it stands now, then each change, without end.

    Raises:
        Denied: workflows may not be watched.
    """
    labels = observe.SELECTOR if training_id is None else {naming.TRAINING_ID_LABEL: training_id}
    for change in watch(cluster, WORKFLOW, labels):
        if isinstance(change, Trouble):
            yield OutOfSight(change.why)
            continue
        name = observe.training_id(change.object)
        if not name or (observe.is_given_up(change.object) and not change.is_deleted):
            continue
        try:
            if change.is_deleted and not observe.is_given_up(change.object):
                record.remember(cluster, Training(name, (observe.attempt(change.object, now()),)))
            yield Changed(find_training(cluster, name))
        except NotFound:
            yield Deleted(name)
        except Unreachable as error:
            yield OutOfSight(error.problems[0].message)
