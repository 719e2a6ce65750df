"""The recorder stops runs whose pods wait for a GPU node longer than `pools.gpu.pending_timeout`."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from odahu_argo.kube.cluster import POD, WORKFLOW, WORKLOAD
from odahu_argo.status.nodes import pod_name
from odahu_argo.status.snapshot import take_snapshot
from odahu_argo.trainings import actions
from odahu_argo.trainings.queries import find_training
from odahu_argo.trainings.wait_limits import WaitLimits
from tests.fakes.cluster import InMemoryCluster
from tests.fakes.controller import play
from tests.manifests import plan

STOPPED = ["wine-1: stopped: step train waited for a node longer than 1800 s"]


@pytest.fixture
def pending(cluster: InMemoryCluster, tmp_path: Path) -> datetime:
    """Submit a GPU training whose pod does not find a node. Return the start of its wait."""
    actions.create(cluster, plan(tmp_path, resources={"limits": {"gpu": 1}}))
    play(cluster, "wine-1", "running-train-unschedulable")
    cluster.patch(WORKFLOW, "wine-1", {"metadata": {"labels": {"workflows.argoproj.io/phase": "Running"}}})
    put_pod(cluster)
    [node] = [node for node in nodes(cluster).values() if node["displayName"] == "train"]
    return datetime.fromisoformat(node["startedAt"])


def nodes(cluster: InMemoryCluster) -> dict[str, Any]:
    found: dict[str, Any] = cluster.get(WORKFLOW, "wine-1")["status"]["nodes"]
    return found


def put_pod(cluster: InMemoryCluster, **spec: Any) -> None:
    """Create or replace the pod of the step train."""
    workflow = cluster.get(WORKFLOW, "wine-1")
    snapshot = take_snapshot(workflow, {})
    [node] = [node for step, node in snapshot.pods if step.name == "train"]
    cluster.apply(POD, {"metadata": {"name": pod_name(workflow["metadata"], node)}, "spec": spec})


def minutes(number: float) -> timedelta:
    return timedelta(minutes=number)


def test_stops_run_after_the_limit(cluster: InMemoryCluster, pending: datetime) -> None:
    limits = WaitLimits(cluster)
    assert list(limits.enforce(pending + minutes(29))) == []
    assert list(limits.enforce(pending + minutes(31))) == STOPPED
    assert cluster.get(WORKFLOW, "wine-1")["spec"]["shutdown"] == "Terminate"
    assert list(limits.enforce(pending + minutes(32))) == []
    assert "waited too long for a node" in find_training(cluster, "wine").status.message


def test_pod_that_pulls_its_image_on_a_node_is_not_stopped(cluster: InMemoryCluster, pending: datetime) -> None:
    put_pod(cluster, nodeName="gpu-1")
    assert list(WaitLimits(cluster).enforce(pending + minutes(45))) == []


def test_status_says_what_the_pod_waited_for(cluster: InMemoryCluster, pending: datetime) -> None:
    list(WaitLimits(cluster).enforce(pending + minutes(31)))
    status = {"phase": "Failed", "message": "Stopped with strategy 'Terminate'"}
    [(key, _)] = [(key, node) for key, node in nodes(cluster).items() if node["displayName"] == "train"]
    node = {"phase": "Failed", "message": "workflow shutdown with strategy:  Terminate"}
    cluster.patch(WORKFLOW, "wine-1", {"status": {**status, "nodes": {key: node}}})
    status = find_training(cluster, "wine").status
    assert (status.state, status.reason) == ("failed", "PendingTimeout")
    assert status.message.startswith("Kubernetes found no node for step train within 1800s")
    assert "pools.gpu.pending_timeout" in status.hint


def test_time_in_a_queue_does_not_count(cluster: InMemoryCluster, pending: datetime) -> None:
    limits = WaitLimits(cluster)
    put_pod(cluster, schedulingGates=[{"name": "kueue.x-k8s.io/admission"}])
    assert list(limits.enforce(pending + minutes(300))) == []
    put_pod(cluster, schedulingGates=None)
    assert list(limits.enforce(pending + minutes(301))) == []
    assert list(limits.enforce(pending + minutes(330))) == []
    assert list(limits.enforce(pending + minutes(332))) == STOPPED


QUEUED = "kueue.x-k8s.io/queue-name"
QUEUE_TIMEOUT = ["wine-1: stopped: step train waited in its queue longer than 3600 s"]


@pytest.fixture
def queued(cluster: InMemoryCluster, pending: datetime) -> datetime:
    """Put the pending pod into a queue with a limit of an hour. Return the start of its wait."""
    templates = cluster.get(WORKFLOW, "wine-1")["spec"]["templates"]
    [metadata] = [template["metadata"] for template in templates if template["name"] == "train"]
    metadata["labels"][QUEUED] = "team-a"
    metadata["annotations"]["odahu.org/queue-timeout"] = "3600s"
    cluster.patch(WORKFLOW, "wine-1", {"spec": {"templates": templates}})
    put_pod(cluster, schedulingGates=[{"name": "kueue.x-k8s.io/admission"}])
    return pending


def put_workload(cluster: InMemoryCluster, admitted: datetime) -> None:
    pod = next(item["metadata"]["name"] for item in cluster.list(POD).items)
    condition = {"type": "Admitted", "status": "True", "lastTransitionTime": admitted.isoformat()}
    owner = {"kind": "Pod", "name": pod}
    cluster.create(
        WORKLOAD,
        {"metadata": {"name": "pod-x", "ownerReferences": [owner]}, "status": {"conditions": [condition]}},
    )


def test_time_in_a_queue_has_its_own_limit(cluster: InMemoryCluster, queued: datetime) -> None:
    limits = WaitLimits(cluster)
    assert list(limits.enforce(queued + minutes(59))) == []
    assert list(limits.enforce(queued + minutes(61))) == QUEUE_TIMEOUT
    assert "waited too long in its queue" in find_training(cluster, "wine").status.message
    status = {"phase": "Failed", "message": "Stopped with strategy 'Terminate'"}
    [key] = [key for key, node in nodes(cluster).items() if node["displayName"] == "train"]
    node = {"phase": "Failed", "message": "workflow shutdown with strategy:  Terminate"}
    cluster.patch(WORKFLOW, "wine-1", {"status": {**status, "nodes": {key: node}}})
    found = find_training(cluster, "wine").status
    assert (found.state, found.reason) == ("failed", "QueueTimeout")
    assert found.message == "the training waited in queue team-a longer than 3600s"


def test_wait_for_a_node_starts_at_admission(cluster: InMemoryCluster, queued: datetime) -> None:
    put_workload(cluster, queued + minutes(50))
    put_pod(cluster, schedulingGates=None)
    restarted = WaitLimits(cluster)
    assert list(restarted.enforce(queued + minutes(79))) == []
    assert list(restarted.enforce(queued + minutes(81))) == STOPPED


def test_restarted_recorder_does_not_count_the_queue(cluster: InMemoryCluster, queued: datetime) -> None:
    put_pod(cluster, schedulingGates=None)
    restarted = WaitLimits(cluster)
    assert list(restarted.enforce(queued + minutes(300))) == []
    assert list(restarted.enforce(queued + minutes(331))) == STOPPED


def test_running_pod_is_not_stopped(cluster: InMemoryCluster, pending: datetime) -> None:
    play(cluster, "wine-1", "running-train")
    assert list(WaitLimits(cluster).enforce(pending + minutes(300))) == []


def test_cpu_training_waits_without_limit(cluster: InMemoryCluster, tmp_path: Path) -> None:
    actions.create(cluster, plan(tmp_path))
    play(cluster, "wine-1", "running-train-unschedulable")
    cluster.patch(WORKFLOW, "wine-1", {"metadata": {"labels": {"workflows.argoproj.io/phase": "Running"}}})
    put_pod(cluster)
    assert list(WaitLimits(cluster).enforce(datetime(2100, 1, 1, tzinfo=UTC))) == []
