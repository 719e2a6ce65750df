from __future__ import annotations

from collections.abc import Iterator

import pytest

from odahu_argo.errors import Unreachable
from odahu_argo.kube.cluster import WORKFLOW
from odahu_argo.plan.model import Plan
from odahu_argo.trainings import actions, history, watch
from odahu_argo.trainings.events import Changed, Deleted, Disconnected, Reconnected, WatchEvent
from odahu_argo.trainings.queries import find_training
from odahu_argo.trainings.watch import watch_trainings
from tests.fakes.cluster import InMemoryCluster
from tests.fakes.controller import play


@pytest.fixture(autouse=True)
def _short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "MIN_RETRY_SECONDS", 0.001)


def next_change(events: Iterator[WatchEvent]) -> Changed:
    event = next(events)
    assert isinstance(event, Changed), event
    return event


def test_reports_each_change(cluster: InMemoryCluster, wine: Plan) -> None:
    actions.create(cluster, wine)
    events = watch_trainings(cluster)
    assert next_change(events).training.status.state == "scheduling"
    play(cluster, "wine-1", "succeeded")
    assert next_change(events).training.status.state == "succeeded"


def test_watching_writes_nothing(cluster: InMemoryCluster, wine: Plan) -> None:
    actions.create(cluster, wine)
    cluster.requests.clear()
    next(watch_trainings(cluster, "wine"))
    assert cluster.writes == []


def test_deletion_of_training_is_reported(cluster: InMemoryCluster, wine: Plan) -> None:
    actions.create(cluster, wine)
    events = watch_trainings(cluster, "wine")
    next(events)
    actions.delete(cluster, "wine")
    assert next(events) == Deleted("wine")


def test_deleted_workflow_keeps_last_status_without_record(cluster: InMemoryCluster, wine: Plan) -> None:
    actions.create(cluster, wine)
    play(cluster, "wine-1", "oom")
    events = watch_trainings(cluster, "wine")
    failed = next_change(events).training
    cluster.delete(WORKFLOW, "wine-1")
    after = next_change(events).training
    assert (after.status, after.newest.is_gone) == (failed.status, True)


def test_deleted_workflow_stays_in_history_of_later_events(cluster: InMemoryCluster, wine: Plan) -> None:
    actions.create(cluster, wine)
    actions.edit(cluster, wine)
    events = watch_trainings(cluster, "wine")
    next(events)
    cluster.delete(WORKFLOW, "wine-1")
    assert [attempt.is_gone for attempt in next_change(events).training.attempts] == [True, False]
    play(cluster, "wine-2", "succeeded")
    assert [attempt.is_gone for attempt in next_change(events).training.attempts] == [True, False]


def test_change_carries_the_record(cluster: InMemoryCluster, wine: Plan) -> None:
    actions.create(cluster, wine)
    assert next_change(watch_trainings(cluster)).recorded is None
    training = find_training(cluster, "wine")
    history.save(cluster, training)
    assert next_change(watch_trainings(cluster)).recorded == training


def test_reports_change_after_history_could_not_be_read(cluster: InMemoryCluster, wine: Plan) -> None:
    actions.create(cluster, wine)
    cluster.fail_next("get", Unreachable("no answer"))
    events = watch_trainings(cluster, "wine")
    assert next(events) == Disconnected("no answer")
    assert next_change(events).training.id == "wine"
    assert next(events) == Reconnected()
