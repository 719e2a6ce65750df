"""Queues of trainings on an in-memory cluster."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from odahu_argo.backends.shared import SharedKubernetesBackend
from odahu_argo.errors import Forbidden
from odahu_argo.kube.cluster import CLUSTER_QUEUE, LOCAL_QUEUE, WORKFLOW, WORKLOAD, Kind, Listing, Object
from odahu_argo.profile import Profile
from odahu_argo.status.nodes import pod_name
from odahu_argo.status.snapshot import take_snapshot
from odahu_argo.trainings import actions, informer, queues
from odahu_argo.trainings.queries import find_training, list_trainings
from tests.fakes.cluster import InMemoryCluster
from tests.fakes.controller import play
from tests.manifests import plan
from tests.waiting import eventually

KUEUE = {"Workload": WORKLOAD, "LocalQueue": LOCAL_QUEUE, "ClusterQueue": CLUSTER_QUEUE}
ITEMS = json.loads(Path("tests/data/kueue-recordings.json").read_text())["items"]


def create(cluster: InMemoryCluster, folder: Path, **spec: Any) -> str:
    """Create a GPU training whose pod has not started. Return the pod's name."""
    actions.create(cluster, plan(folder, resources={"limits": {"gpu": 1}}, **spec))
    play(cluster, "wine-1", "running-train-unschedulable")
    workflow = cluster.get(WORKFLOW, "wine-1")
    [node] = [node for step, node in take_snapshot(workflow, {}).pods if step.name == "train"]
    cluster.patch(WORKFLOW, "wine-1", {"status": {"nodes": {node.id: {"message": ""}}}})
    return pod_name(workflow["metadata"], node)


def record(cluster: InMemoryCluster, pod: str) -> None:
    """Create the recorded objects of Kueue; the Workload of the pod `three` belongs to this pod."""
    for item in json.loads(json.dumps(ITEMS).replace('"name": "three"', f'"name": "{pod}"')):
        cluster.create(KUEUE[item["kind"]], item)


def test_queued_training_says_what_it_waits_for(cluster: InMemoryCluster, tmp_path: Path) -> None:
    record(cluster, create(cluster, tmp_path, queue="team-a"))
    [training] = list_trainings(cluster)
    assert training.status.message.startswith("queued in team-a, ")
    assert training.status.queue and training.status.queue.length == 5
    assert training.status.message.endswith("needs 1 more nvidia.com/gpu of flavor a100 (quota 2, 2 in use)")
    [step] = [step for step in training.status.steps if step.name == "train"]
    assert (step.state, step.message) == ("scheduling", training.status.message)


def test_reading_a_queue_sends_no_writes(cluster: InMemoryCluster, tmp_path: Path) -> None:
    record(cluster, create(cluster, tmp_path, queue="team-a"))
    before = len(cluster.writes)
    find_training(cluster, "wine")
    assert len(cluster.writes) == before


def test_training_without_a_queue_reads_nothing_of_kueue(cluster: InMemoryCluster, tmp_path: Path) -> None:
    create(cluster, tmp_path)
    find_training(cluster, "wine")
    assert not {request.kind for request in cluster.requests} & set(KUEUE)


class WithoutKueue(InMemoryCluster):
    """A cluster whose account may not list Kueue's objects."""

    def list(self, kind: Kind, *selectors: Any, **options: Any) -> Listing[Object]:
        if kind.group == WORKLOAD.group:
            raise Forbidden(f"you cannot list {kind.resource}")
        return super().list(kind, *selectors, **options)


def test_status_without_access_to_kueue(tmp_path: Path) -> None:
    cluster = WithoutKueue()
    create(cluster, tmp_path, queue="team-a")
    status = find_training(cluster, "wine").status
    assert (status.state, status.reason, str(status.queue)) == ("scheduling", "Queued", "team-a")
    assert status.message == "waiting in queue team-a, or for the pod of step train to start: Kueue cannot be read"
    assert "list workloads.kueue.x-k8s.io" in status.hint


def test_server_reports_changes_of_the_queue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(informer, "WARNING_SECONDS", 0.05)
    monkeypatch.setattr(queues, "MAX_AGE_SECONDS", 0.0)
    cluster = InMemoryCluster("ml")
    cluster.watch_seconds = 60.0
    record(cluster, create(cluster, tmp_path, queue="team-a"))
    with closing(SharedKubernetesBackend(cluster, Profile())) as backend:
        assert eventually(lambda: backend.trainings.get("wine").status.reason == "Queued")
        assert backend.trainings.get("wine").status == find_training(cluster, "wine").status
        cluster.patch(LOCAL_QUEUE, "team-a", {"spec": {"stopPolicy": "Hold"}})
        assert eventually(lambda: backend.trainings.get("wine").status.reason == "QueueStopped")
        play(cluster, "wine-1", "succeeded")
        assert eventually(lambda: backend.trainings.get("wine").status.state == "succeeded")
        assert backend.trainings.get("wine").status.queue is None
