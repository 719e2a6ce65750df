"""The trainings of a namespace in memory: sorted lists for pages, and each training on demand."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from operator import attrgetter
from typing import Generic, Protocol, TypeVar

from odahu_argo.kube.watch import WatchChange
from odahu_argo.status.queues import QueuedPod
from odahu_argo.trainings.kept import KeptRecord, KeptRun
from odahu_argo.trainings.model import Training
from odahu_argo.trainings.queries import now
from odahu_argo.trainings.runs import combine
from odahu_argo.trainings.selection import PageRequest, TrainingFilter, contains_words, last_page

CACHED_TRAININGS = 1000
"""Trainings that stay uncompressed after they were read, about 8 kB each."""


@dataclass(frozen=True, slots=True)
class IndexedTraining:
    """What lists sort, filter and show. `summary` has the newest attempt, without its spec and steps."""

    summary: Training
    id: str
    state: str
    model_name: str
    model_version: str
    toolchain: str
    created: str


@dataclass(frozen=True)
class IndexSnapshot:
    """All trainings at one time."""

    trainings: Mapping[str, IndexedTraining]

    @cached_property
    def by_id(self) -> Sequence[IndexedTraining]:
        """All trainings, sorted by ID."""
        return sorted(self.trainings.values(), key=attrgetter("id"))

    @cached_property
    def newest_first(self) -> Sequence[IndexedTraining]:
        """All trainings, sorted by the submission of their newest attempt, then by ID."""
        return sorted(self.by_id, key=attrgetter("created"), reverse=True)

    @cached_property
    def counts(self) -> Mapping[str, int]:
        """Number of trainings by state."""
        return Counter(training.state for training in self.trainings.values())

    def page(self, selection: TrainingFilter, request: PageRequest) -> tuple[Sequence[IndexedTraining], int, int]:
        """Return the trainings of a page, the number of the page, and the number of trainings on all pages."""
        ordered = self.newest_first if request.is_newest_first else self.by_id
        selected = _select(ordered, selection)
        number = min(request.number, last_page(len(selected), request.size))
        first = (number - 1) * request.size
        return selected[first : first + request.size], number, len(selected)


def _select(trainings: Sequence[IndexedTraining], selection: TrainingFilter) -> Sequence[IndexedTraining]:
    fields = {
        "state": selection.states,
        "model_name": selection.model_names,
        "model_version": selection.model_versions,
        "toolchain": selection.toolchains,
    }
    for name, allowed in fields.items():
        if allowed:
            value, values = attrgetter(name), frozenset(allowed)
            trainings = [training for training in trainings if value(training) in values]
    if words := selection.words:
        trainings = [training for training in trainings if contains_words(training.summary, words)]
    return trainings


class TrainingIndex:
    """Combines kept runs and records to trainings. Safe to use from several threads.

    Nothing is combined before `complete`, so that a first list of thousands of objects costs one pass.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._writing = threading.Lock()
        self._runs: _ByTraining[KeptRun] = _ByTraining()
        self._records: _ByTraining[KeptRecord] = _ByTraining()
        self._trainings: dict[str, IndexedTraining] = {}
        self._snapshot: IndexSnapshot | None = None
        self._cache: dict[str, tuple[IndexedTraining, Training]] = {}
        self._is_complete = False
        self.is_ready = False
        """Whether `complete` has combined everything."""
        self._subscriptions: set[Subscription] = set()

    def complete(self) -> None:
        """Combine all runs and records, and from now on each change."""
        with self._writing:
            if not self._is_complete:
                self._is_complete = True
                self._update({*self._runs.ids, *self._records.ids})
                self.is_ready = True

    def apply_runs(self, changes: Iterable[WatchChange[KeptRun]]) -> None:
        """Apply changes of Workflows. A Workflow that is being deleted with its training counts as deleted."""
        with self._writing:
            changed: set[str] = set()
            for change in changes:
                run = change.value
                if change.is_deleted or run.is_deleted or not run.training_id:
                    changed |= self._runs.remove(run.uid)
                    continue
                before = self._runs.find(run.uid)
                if before and before.starting and (before.starting.warnings or before.starting.queued):
                    run = run.with_causes(before.starting.warnings, before.starting.queued)
                changed |= self._runs.put(run)
            self._update(changed)

    def apply_records(self, changes: Iterable[WatchChange[KeptRecord]]) -> None:
        """Apply changes of records."""
        with self._writing:
            changed: set[str] = set()
            for change in changes:
                is_gone = change.is_deleted or not change.value.training_id
                changed |= self._records.remove(change.value.uid) if is_gone else self._records.put(change.value)
            self._update(changed)

    def starting_runs(self) -> Sequence[KeptRun]:
        """Return the runs with pods that are starting."""
        with self._writing:
            return [run for run in self._runs.values if run.starting]

    def apply_causes(self, warnings: Mapping[str, str] | None, queued: Mapping[str, QueuedPod]) -> None:
        """Read the runs again whose starting pods have other warnings or places in queues than before."""
        with self._writing:
            starting = [run for run in self._runs.values if run.starting]
            changed: set[str] = set()
            for run in starting:
                after = run.with_causes(warnings, queued)
                if after is not run:
                    changed |= self._runs.put(after)
            self._update(changed)

    def snapshot(self) -> IndexSnapshot:
        """Return all trainings. The snapshot is shared by its readers until the next change."""
        with self._changed:
            if self._snapshot is None:
                self._snapshot = IndexSnapshot(dict(self._trainings))
            return self._snapshot

    def find(self, training_id: str) -> Training | None:
        """Return a training with all attempts, or None if there is none. The last ones that were read are cached."""
        entry = self._trainings.get(training_id)
        if entry is None:
            return None
        cached = self._cache.get(training_id)
        if cached is None or cached[0] is not entry:
            with self._writing:
                training = self._combine(training_id)
            if training is None:
                return None
            if len(self._cache) >= CACHED_TRAININGS:
                self._cache.clear()
            self._cache[training_id] = cached = entry, training
        time = now()
        attempts = (attempt if attempt.is_gone else replace(attempt, seen=time) for attempt in cached[1].attempts)
        return replace(cached[1], attempts=tuple(attempts))

    def wait_for(self, is_true: Callable[[], bool], timeout: float) -> bool:
        """Wait until `is_true`, which is checked after each change, or `timeout` seconds have passed.

        Snapshots contain the changes that `is_true` has seen.
        """
        with self._changed:
            result = self._changed.wait_for(is_true, timeout)
        with self._writing:
            return result

    def has_run(self, training_id: str, uid: str) -> bool:
        """Return whether a Workflow with this UID belongs to the training."""
        return any(run.uid == uid for run in self._runs.of(training_id))

    def has_training(self, training_id: str) -> bool:
        """Return whether the training is in the lists."""
        return training_id in self._trainings

    def subscribe(self) -> Subscription:
        """Return the changes from now on. Close the subscription."""
        subscription = Subscription(self._changed, self._subscriptions)
        with self._changed:
            self._subscriptions.add(subscription)
        return subscription

    def wake(self) -> None:
        """Wake all waiting threads, to look at a change of the connection."""
        with self._changed:
            self._changed.notify_all()

    def _update(self, ids: Collection[str]) -> None:
        """Combine these trainings again and tell readers."""
        if not ids or not self._is_complete:
            return
        combined = {training_id: self._combine(training_id) for training_id in ids}
        with self._changed:
            for training_id, training in combined.items():
                if training is None:
                    self._trainings.pop(training_id, None)
                else:
                    self._trainings[training_id] = _index(training)
            self._snapshot = None
            for subscription in self._subscriptions:
                subscription.add(ids)
            self._changed.notify_all()

    def _combine(self, training_id: str) -> Training | None:
        runs, records = self._runs.of(training_id), self._records.of(training_id)
        time = now()
        return combine(training_id, [run.run(time) for run in runs], records[-1].record() if records else None)


class Subscription:
    """IDs of trainings that have changed since the last `take`. A slow reader gets each ID once."""

    def __init__(self, changed: threading.Condition, subscriptions: set[Subscription]) -> None:
        self._changed, self._subscriptions = changed, subscriptions
        self._ids: dict[str, None] = {}

    def add(self, ids: Iterable[str]) -> None:
        """Add IDs. The caller holds the lock of the index."""
        self._ids.update(dict.fromkeys(ids))

    def take(self, timeout: float) -> Sequence[str]:
        """Return the IDs, after at most `timeout` seconds if there are none yet."""
        with self._changed:
            self._changed.wait_for(lambda: bool(self._ids), timeout)
            ids, self._ids = list(self._ids), {}
            return ids

    def close(self) -> None:
        """End the subscription."""
        with self._changed:
            self._subscriptions.discard(self)


class _Kept(Protocol):
    @property
    def training_id(self) -> str: ...

    @property
    def uid(self) -> str: ...


K = TypeVar("K", bound=_Kept)


class _ByTraining(Generic[K]):
    """Kept objects by UID, and grouped by training. An object may move from one training to another."""

    def __init__(self) -> None:
        self._objects: dict[str, K] = {}
        self._groups: dict[str, tuple[K, ...]] = {}

    @property
    def ids(self) -> Collection[str]:
        return self._groups.keys()

    @property
    def values(self) -> Collection[K]:
        return self._objects.values()

    def find(self, uid: str) -> K | None:
        return self._objects.get(uid)

    def of(self, training_id: str) -> Sequence[K]:
        return self._groups.get(training_id, ())

    def put(self, kept: K) -> set[str]:
        """Add or replace an object. Return the IDs of the trainings that this changes."""
        changed = self.remove(kept.uid)
        self._objects[kept.uid] = kept
        self._groups[kept.training_id] = (*self.of(kept.training_id), kept)
        return changed | {kept.training_id}

    def remove(self, uid: str) -> set[str]:
        """Remove an object, if it exists. Return the ID of its training."""
        kept = self._objects.pop(uid, None)
        if kept is None:
            return set()
        if rest := tuple(other for other in self.of(kept.training_id) if other.uid != uid):
            self._groups[kept.training_id] = rest
        else:
            del self._groups[kept.training_id]
        return {kept.training_id}


def _index(training: Training) -> IndexedTraining:
    newest, status = training.newest, training.status
    name, version = newest.model_name, newest.model_version
    spec = {"model": {"name": name, "version": version}, "toolchain": newest.toolchain}
    attempt = replace(newest, spec=spec, status=replace(status, steps=()))
    summary = Training(training.id, (attempt,))
    return IndexedTraining(summary, training.id, status.state, name, version, newest.toolchain, newest.created)
