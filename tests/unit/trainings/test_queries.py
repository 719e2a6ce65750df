from __future__ import annotations

from datetime import UTC, datetime

import pytest

from odahu_argo.errors import NotFound
from odahu_argo.kube.cluster import CONFIG_MAP, EVENT, WORKFLOW
from odahu_argo.naming import record_name
from odahu_argo.plan.model import Plan
from odahu_argo.trainings import actions, history
from odahu_argo.trainings.queries import find_training, list_ids, list_trainings
from tests.fakes.cluster import InMemoryCluster
from tests.fakes.controller import play


def test_finds_and_lists_trainings(cluster: InMemoryCluster, wine: Plan) -> None:
    actions.create(cluster, wine)
    play(cluster, "wine-1", "running-train")
    training = find_training(cluster, "wine")
    assert (training.id, training.status.state, training.newest.workflow) == ("wine", "running", "wine-1")
    assert (training.newest.model_name, training.newest.model_version, training.newest.toolchain) == (
        "wine", "1.0", "mlflow",
    )  # fmt: skip
    assert [found.id for found in list_trainings(cluster)] == ["wine"]
    assert list_ids(cluster) == ["wine"]


def test_reading_writes_nothing(cluster: InMemoryCluster, wine: Plan) -> None:
    actions.create(cluster, wine)
    play(cluster, "wine-1", "succeeded")
    cluster.requests.clear()
    find_training(cluster, "wine")
    list(list_trainings(cluster))
    list_ids(cluster)
    assert cluster.requests
    assert cluster.writes == []


def test_record_outlives_workflow(cluster: InMemoryCluster, wine: Plan) -> None:
    actions.create(cluster, wine)
    play(cluster, "wine-1", "succeeded")
    before = find_training(cluster, "wine")
    history.save(cluster, before)
    cluster.delete(WORKFLOW, "wine-1")
    after = find_training(cluster, "wine")
    assert (after.status, after.newest.is_gone) == (before.status, True)
    assert [found.id for found in list_trainings(cluster)] == list_ids(cluster) == ["wine"]


def test_without_record_a_deleted_workflow_leaves_nothing(cluster: InMemoryCluster, wine: Plan) -> None:
    actions.create(cluster, wine)
    cluster.delete(WORKFLOW, "wine-1")
    with pytest.raises(NotFound, match="training 'wine' does not exist in namespace 'ml'"):
        find_training(cluster, "wine")


def test_unreadable_record_is_ignored(cluster: InMemoryCluster, wine: Plan) -> None:
    actions.create(cluster, wine)
    history.save(cluster, find_training(cluster, "wine"))
    cluster.patch(CONFIG_MAP, record_name("wine"), {"data": {history.KEY: "{"}})
    assert find_training(cluster, "wine").status.state == "scheduling"


def test_pending_pod_gets_its_last_warning_event(cluster: InMemoryCluster, wine: Plan) -> None:
    actions.create(cluster, wine)
    play(cluster, "wine-1", "running-checkout-pending")
    nodes = cluster.get(WORKFLOW, "wine-1")["status"]["nodes"]
    cluster.patch(WORKFLOW, "wine-1", {"status": {"nodes": {name: {"message": ""} for name in nodes}}})
    pod = find_training(cluster, "wine").steps[0].runs[0].pod
    for second, message in enumerate(["before", 'MountVolume.SetUp failed: secret "connection-code" not found']):
        event = {
            "metadata": {"name": f"event-{second}"},
            "involvedObject": {"name": pod},
            "type": "Warning",
            "reason": "FailedMount",
            "message": message,
            "lastTimestamp": datetime(2026, 1, 1, 0, 0, second, tzinfo=UTC).isoformat(),
        }
        cluster.create(EVENT, event)
    assert find_training(cluster, "wine").status.reason == "FailedMount"
