"""Watches of trainings report all changes and the end of an outage of a real Kubernetes API."""

from __future__ import annotations

import threading
from contextlib import closing
from pathlib import Path

import pytest

from odahu_argo.compile.workflow import compile_workflow
from odahu_argo.kube.cluster import WORKFLOW, Object
from odahu_argo.naming import TRAINING_ID_LABEL
from odahu_argo.trainings.events import Changed, Disconnected, Reconnected, WatchEvent
from odahu_argo.trainings.follow import follow
from odahu_argo.trainings.submit import submit
from odahu_argo.trainings.watch import watch_trainings
from tests.cluster.conftest import ProxiedCluster
from tests.manifests import plan

pytestmark = pytest.mark.cluster


def words(event: WatchEvent) -> str:
    return f"{event.training.id} {event.training.status.state}" if isinstance(event, Changed) else type(event).__name__


def test_nothing_remains_of_a_follower_that_leaves(proxied_cluster: ProxiedCluster, tmp_path: Path) -> None:
    submit(proxied_cluster.cluster, compile_workflow(plan(tmp_path)))
    before = set(threading.enumerate())
    with closing(follow(proxied_cluster.cluster, "wine")) as events:  # type: ignore[type-var]
        assert words(next(events)) == "wine scheduling"
        watches = [thread for thread in threading.enumerate() if thread not in before and "_watch" in thread.name]
        assert len(watches) == 1
    watches[0].join(30)
    assert not watches[0].is_alive(), "the watch lasts for a minute"


def test_reports_change_after_failed_read_of_history(proxied_cluster: ProxiedCluster, tmp_path: Path) -> None:
    submit(proxied_cluster.cluster, compile_workflow(plan(tmp_path)))
    lost: list[str] = []

    def loses_one_reading_with_all_its_tries(request: str) -> bool:
        is_lost = "configmaps" in request and len(lost) < 4
        lost.extend([request] * is_lost)
        return is_lost

    proxied_cluster.proxy.loses = loses_one_reading_with_all_its_tries
    watching = watch_trainings(proxied_cluster.cluster, "wine")
    assert [words(next(watching)) for _ in range(3)] == ["Disconnected", "wine scheduling", "Reconnected"]
    watching.close()  # type: ignore[attr-defined]


def test_watch_of_many_trainings_starts_with_two_lists(proxied_cluster: ProxiedCluster, tmp_path: Path) -> None:
    compiled = compile_workflow(plan(tmp_path))
    for number in range(12):
        submit(proxied_cluster.cluster, _called(compiled, f"wine{number:02}"))
    before = len(proxied_cluster.proxy.requests)
    watching = watch_trainings(proxied_cluster.cluster)
    assert [words(next(watching)) for _ in range(12)] == [f"wine{number:02} scheduling" for number in range(12)]
    watching.close()  # type: ignore[attr-defined]
    asked = [line for line in proxied_cluster.proxy.requests[before:] if "watch=true" not in line]
    assert [("configmaps" in line, "workflows" in line) for line in asked] == [(False, True), (True, False)]


def test_watch_reports_status_of_newest_attempt(proxied_cluster: ProxiedCluster, tmp_path: Path) -> None:
    planned = plan(tmp_path)
    for number in (1, 2):
        submit(proxied_cluster.cluster, compile_workflow(planned, number))
    proxied_cluster.cluster.patch(WORKFLOW, "wine-1", {"status": {"phase": "Failed"}})
    watching = watch_trainings(proxied_cluster.cluster)
    assert words(next(watching)) == "wine scheduling"
    proxied_cluster.cluster.delete(WORKFLOW, "wine-2")
    proxied_cluster.cluster.patch(WORKFLOW, "wine-1", {"status": {"phase": "Succeeded"}})
    seen = [next(watching) for _ in range(2)]
    assert [[attempt.is_gone for attempt in item.training.attempts] for item in seen if isinstance(item, Changed)] == [
        [False, True]
    ] * 2
    watching.close()  # type: ignore[attr-defined]


def _called(workflow: Object, training: str) -> Object:
    metadata = workflow["metadata"]
    labels = {**metadata["labels"], TRAINING_ID_LABEL: training}
    return {**workflow, "metadata": {**metadata, "name": f"{training}-1", "labels": labels}}


def test_reports_end_of_outage_without_changes(proxied_cluster: ProxiedCluster, tmp_path: Path) -> None:
    submit(proxied_cluster.cluster, compile_workflow(plan(tmp_path)))
    watching = watch_trainings(proxied_cluster.cluster, "wine")
    assert words(next(watching)) == "wine scheduling"
    proxied_cluster.proxy.cut()
    assert isinstance(next(watching), Disconnected)
    proxied_cluster.proxy.restore()
    assert next(event for event in watching if not isinstance(event, Disconnected)) == Reconnected()
    watching.close()  # type: ignore[attr-defined]
