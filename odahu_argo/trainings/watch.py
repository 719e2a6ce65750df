"""Watch the trainings of a namespace, or one training. GET requests only."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from odahu_argo import naming
from odahu_argo.backoff import delays
from odahu_argo.errors import Unreachable
from odahu_argo.kube.cluster import CONFIG_MAP, WORKFLOW, Cluster, OnOpen
from odahu_argo.kube.watch import (
    MAX_RETRY_SECONDS,
    MIN_RETRY_SECONDS,
    WatchChange,
    WatchChanges,
    WatchInterrupted,
    WatchRestored,
    watch,
)
from odahu_argo.trainings import history, runs
from odahu_argo.trainings.events import Changed, Deleted, Disconnected, Reconnected, WatchEvent
from odahu_argo.trainings.model import Training
from odahu_argo.trainings.queries import run_reader
from odahu_argo.trainings.runs import WorkflowRun

MAX_SINGLE_READS = 10
"""Up to this number of records are read one by one; more are listed at once."""


@dataclass(slots=True)
class _Runs:
    """The runs of one training by UID: those on the cluster, and those whose Workflow was deleted during the watch."""

    current: dict[str, WorkflowRun] = field(default_factory=dict)
    deleted: dict[str, WorkflowRun] = field(default_factory=dict)


def watch_trainings(
    cluster: Cluster,
    training_id: str | None = None,
    stop: threading.Event | None = None,
    on_open: OnOpen | None = None,
) -> Iterator[WatchEvent]:
    """Yield every training that has a Workflow, or one training, then each change, until `stop` as in `kube.watch.watch`.

    Raises:
        Forbidden: Workflows cannot be watched.
    """
    labels = runs.SELECTOR if training_id is None else {naming.TRAINING_ID_LABEL: training_id}
    known: dict[str, _Runs] = {}
    for update in watch(cluster, WORKFLOW, run_reader(cluster), labels, stop=stop, on_open=on_open):
        match update:
            case WatchInterrupted(message):
                yield Disconnected(message)
            case WatchRestored():
                yield Reconnected()
            case WatchChanges(changes):
                yield from _events(cluster, known, _apply(known, changes))


def _apply(known: dict[str, _Runs], changes: Sequence[WatchChange[WorkflowRun]]) -> list[str]:
    """Apply changes of Workflows to the known runs. Return the IDs of the trainings that have changed."""
    changed: dict[str, None] = {}
    for change in changes:
        run = change.value
        if not run.training_id:
            continue
        training = known.setdefault(run.training_id, _Runs())
        if change.is_deleted or run.is_deleted:
            training.current.pop(run.attempt.uid, None)
        else:
            training.current[run.attempt.uid] = run
        if change.is_deleted and not run.is_deleted:
            training.deleted[run.attempt.uid] = run
        if run.is_deleted:
            training.deleted.clear()
        if change.is_deleted or not run.is_deleted:
            changed[run.training_id] = None
    return list(changed)


def _events(cluster: Cluster, known: dict[str, _Runs], ids: Sequence[str]) -> Iterator[WatchEvent]:
    """Yield the events of these trainings. If records cannot be read, retry until they can, so that no change is lost."""
    waits = delays(MIN_RETRY_SECONDS, MAX_RETRY_SECONDS)
    is_disconnected = False
    while True:
        try:
            texts = _read_texts(cluster, ids)
            break
        except Unreachable as error:
            is_disconnected = True
            yield Disconnected(error.problems[0].message)
            time.sleep(next(waits))
    for training_id in ids:
        recorded = history.parse_record(texts.get(training_id, ""))
        training = _combine(training_id, known[training_id], recorded)
        if training is None:
            del known[training_id]
            yield Deleted(training_id)
        else:
            yield Changed(training, recorded)
    if is_disconnected:
        yield Reconnected()


def _read_texts(cluster: Cluster, ids: Sequence[str]) -> dict[str, str]:
    if len(ids) > MAX_SINGLE_READS:
        return dict(cluster.gather(CONFIG_MAP, history.record_entry, history.SELECTOR).items)
    return {training_id: history.read_text(cluster, training_id) for training_id in ids}


def _combine(training_id: str, known: _Runs, recorded: Training | None) -> Training | None:
    """Combine runs and record. A Workflow that was deleted alone counts with its last status, recorded or not."""
    current = list(known.current.values())
    if known.deleted:
        observed = [*known.deleted.values(), *current]
        attempts = runs.number_attempts(observed, recorded.attempts if recorded else ())
        recorded = history.merge(recorded, Training(training_id, tuple(attempts)))
    return runs.combine(training_id, current, recorded)
