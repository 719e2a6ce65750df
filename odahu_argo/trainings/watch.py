"""Trainings as they change, all of a namespace or one, on one watch; what is seen is remembered on the way."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass

from odahu_argo import naming
from odahu_argo.backoff import pauses
from odahu_argo.errors import Conflict, Forbidden, Unreachable
from odahu_argo.kube.cluster import WORKFLOW, Cluster
from odahu_argo.kube.watch import FIRST_WAIT, LONGEST_WAIT, Back, Change, Changes, Trouble, watch
from odahu_argo.trainings import history
from odahu_argo.trainings import runs as observe
from odahu_argo.trainings.model import Training
from odahu_argo.trainings.queries import as_they_stand, run_reader
from odahu_argo.trainings.runs import Run


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
_There = dict[str, dict[str, Run]]
"""The runs that are on the cluster, by training and uid."""
_FEW = 10
"""The records of so many trainings are asked for one by one, else all of the namespace are listed."""


def watch_trainings(cluster: Cluster, training_id: str | None = None) -> Iterator[Seen]:
    """Every training that has a workflow, as it stands now, then each change, without end.

    Raises:
        Forbidden: workflows may not be watched.
    """
    labels = observe.SELECTOR if training_id is None else {naming.TRAINING_ID_LABEL: training_id}
    there: _There = {}
    for news in watch(cluster, WORKFLOW, run_reader(cluster), labels):
        match news:
            case Trouble(why):
                yield OutOfSight(why)
            case Back():
                yield InSight()
            case Changes(changes):
                yield from _told(cluster, there, *_taken_in(there, changes))


def _taken_in(there: _There, changes: Sequence[Change[Run]]) -> tuple[list[str], list[Run]]:
    """Bring `there` up to date; gives the trainings that have changed, and the runs that were deleted alone."""
    changed: dict[str, None] = {}
    lost: list[Run] = []
    for change in changes:
        run = change.kept
        if not run.training_id:
            continue
        runs = there.setdefault(run.training_id, {})
        if change.is_deleted or run.is_given_up:
            runs.pop(run.attempt.uid, None)
        else:
            runs[run.attempt.uid] = run
        if change.is_deleted and not run.is_given_up:
            lost.append(run)
        if change.is_deleted or not run.is_given_up:
            changed[run.training_id] = None
    return list(changed), lost


def _told(cluster: Cluster, there: _There, names: Sequence[str], lost: Sequence[Run]) -> Iterator[Seen]:
    """How these trainings stand. Their records are asked for until there is an answer: no change is lost."""
    waits = pauses(FIRST_WAIT, LONGEST_WAIT)
    is_out = False
    while True:
        try:
            for run in lost:
                _remember_last(cluster, run)
            records = (
                history.texts(cluster) if len(names) > _FEW else {name: history.text(cluster, name) for name in names}
            )
            break
        except (Unreachable, Conflict) as error:
            is_out = True
            yield OutOfSight(error.problems[0].message)
            time.sleep(next(waits))
    runs = {name: list(there[name].values()) for name in names}
    found: set[str] = set()
    for training in as_they_stand(cluster, names, runs, records):
        found.add(training.id)
        yield Changed(training)
    for name in names:
        if not there[name]:
            del there[name]
        if name not in found:
            yield Deleted(name)
    if is_out:
        yield InSight()


def _remember_last(cluster: Cluster, run: Run) -> None:
    """What is known of a run whose workflow was deleted, but not with its training."""
    with suppress(Forbidden):
        known = history.find(cluster, run.training_id)
        last = observe.attempts([run], known.attempts if known else ())
        history.remember(cluster, Training(run.training_id, tuple(last)))
