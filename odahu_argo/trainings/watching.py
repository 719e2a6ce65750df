"""Trainings as they change, all of a namespace or one, on one watch; what is seen is remembered on the way."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass

from odahu_argo import naming
from odahu_argo.status.watch import FIRST_WAIT, LONGEST_WAIT, Back, Change, Trouble, watch
from odahu_argo.submit.backoff import pauses
from odahu_argo.submit.cluster import WORKFLOW, Cluster, Conflict, Denied, NotFound, Unreachable
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


@dataclass(frozen=True, slots=True)
class InSight:
    """The API is reached again after it was out of sight; what has changed meanwhile has been told."""


Seen = Changed | Deleted | OutOfSight | InSight


def watch_trainings(cluster: Cluster, training_id: str | None = None) -> Iterator[Seen]:
    """Every training that has a workflow, as it stands now, then each change, without end.

    Raises:
        Denied: workflows may not be watched.
    """
    labels = observe.SELECTOR if training_id is None else {naming.TRAINING_ID_LABEL: training_id}
    for change in watch(cluster, WORKFLOW, labels):
        match change:
            case Trouble(why):
                yield OutOfSight(why)
            case Back():
                yield InSight()
            case Change():
                yield from _told(cluster, change)


def _told(cluster: Cluster, change: Change) -> Iterator[Seen]:
    """The training that the workflow belongs to. It is asked for until there is an answer: no change is told twice."""
    name = observe.training_id(change.object)
    if not name or (observe.is_given_up(change.object) and not change.is_deleted):
        return
    waits = pauses(FIRST_WAIT, LONGEST_WAIT)
    is_lost = False
    while True:
        try:
            seen = _as_it_stands(cluster, name, change)
        except (Unreachable, Conflict) as error:
            is_lost = True
            yield OutOfSight(error.problems[0].message)
            time.sleep(next(waits))
        else:
            yield seen
            if is_lost:
                yield InSight()
            return


def _as_it_stands(cluster: Cluster, name: str, change: Change) -> Changed | Deleted:
    try:
        if change.is_deleted and not observe.is_given_up(change.object):
            with suppress(Denied):
                known = record.find(cluster, name)
                last = observe.attempts([change.object], known.attempts if known else (), now())
                record.remember(cluster, Training(name, tuple(last)))
        return Changed(find_training(cluster, name))
    except NotFound:
        return Deleted(name)
