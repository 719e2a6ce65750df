"""Why pods wait in queues, from objects that Kueue 0.19.2 left: tests/data/kueue-recordings.json."""

from __future__ import annotations

import json
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from odahu_argo.status.queues import KueueObjects, QueuedPod, explain_queued_pod
from odahu_argo.status.state import read_status
from tests.unit.status.variants import SITUATIONS

ITEMS = json.loads(Path("tests/data/kueue-recordings.json").read_text())["items"]


def recorded() -> KueueObjects:
    def named(kind: str) -> dict[str, Any]:
        return {item["metadata"]["name"]: item for item in deepcopy(ITEMS) if item["kind"] == kind}

    return KueueObjects(list(named("Workload").values()), named("LocalQueue"), named("ClusterQueue"), ["high"])


def explain(pod: str, queue: str = "team-a", priority: str = "", kueue: KueueObjects | None = None) -> QueuedPod:
    found = explain_queued_pod(pod, queue, priority, kueue or recorded())
    assert found is not None
    return found


def test_waiting_pod_has_its_place_and_needs() -> None:
    three = explain("three")
    assert three.explanation.reason == "Queued"
    assert three.explanation.message.startswith("queued in team-a, ")
    assert three.explanation.message.endswith("; needs 1 more nvidia.com/gpu of flavor a100 (quota 2, 2 in use)")
    assert str(three.place) == "team-a 2/5"


def test_higher_priority_and_earlier_creation_come_first() -> None:
    positions = [explain(pod).place.position for pod in ("seven", "three", "nine")]
    assert positions == sorted(positions)
    assert positions[0] == 1


def test_admitted_pod_is_not_queued() -> None:
    assert explain_queued_pod("one", "team-a", "", recorded()) is None


@pytest.mark.parametrize(
    ("pod", "queue", "reason", "message", "hint"),
    [
        ("five", "missing", "QueueNotFound", "queue missing does not exist", "set spec.queue to one of gpu-only, nofl"),
        ("six", "orphan", "QueueInactive", "the ClusterQueue gone, which does not exist", "setup queues"),
        ("a4", "noflavor", "QueueInactive", "it references missing ResourceFlavor(s): missing-flavor", "clusterqueue"),
        ("a5", "team-a", "Held", "its Workload pod-a5-421d9 is not active", "spec.active"),
        ("four", "team-a", "ExceedsQuota", "requires 4 nvidia.com/gpu of flavor a100, and queue team-a can", "request"),
        ("a1", "gpu-only", "ExceedsQuota", "its queue gpu-only has no quota of memory", "ask the administrator to add"),
        ("a2", "other", "QueueInactive", "does not accept workloads of this namespace", "namespaceSelector"),
        ("a3", "tainted", "NoMatchingFlavor", "flavor tainted has the taint team b NoSchedule", "tolerations"),
        ("a6", "team-a", "NoMatchingFlavor", "the nodes of flavor a100 are not the ones", "node_selector"),
    ],
)
def test_blocked_pod_has_its_cause(pod: str, queue: str, reason: str, message: str, hint: str) -> None:
    found = explain(pod, queue)
    assert found.explanation.reason == reason
    assert message in found.explanation.message
    assert hint in found.explanation.hint
    assert str(found.place) == queue


def test_unknown_priority_class_is_the_cause_of_a_missing_workload() -> None:
    found = explain("eight", priority="nosuch")
    assert found.explanation.message == "the priority class nosuch does not exist"
    assert found.explanation.hint == "set spec.priority to one of high"
    assert explain_queued_pod("eight", "team-a", "high", recorded()) is None


@pytest.mark.parametrize("kind", ["LocalQueue", "ClusterQueue"])
def test_stopped_queue(kind: str) -> None:
    kueue = recorded()
    queues = kueue.local_queues if kind == "LocalQueue" else kueue.cluster_queues
    assert queues is not None
    queues["team-a"]["spec"]["stopPolicy"] = "Hold"  # type: ignore[index]
    found = explain("three", kueue=kueue)
    assert found.explanation.reason == "QueueStopped"
    assert f"set spec.stopPolicy of {kind} team-a to None" in found.explanation.hint


def test_place_is_known_without_access_to_queues() -> None:
    found = explain("three", kueue=KueueObjects(recorded().workloads))
    assert found.explanation.message.endswith("; needs 1 more nvidia.com/gpu of flavor a100")


def test_status_contains_the_queue() -> None:
    workflow = deepcopy(SITUATIONS["gpu-second-attempt-waits"])
    [pod] = [run.pod for step in read_status(workflow).steps for run in step.runs if run.state == "scheduling"]
    for node in workflow["status"]["nodes"].values():
        node["message"] = "" if node.get("phase") == "Pending" else node.get("message", "")
    status = read_status(workflow, queued={pod: explain("three")})
    assert (status.state, status.reason, str(status.queue)) == ("scheduling", "Queued", "team-a 2/5")
    assert status.message.startswith("queued in team-a, 2nd of 5")


def _broken() -> Iterator[Any]:
    yield from ({}, {"metadata": 1}, {"spec": {"queueName": "team-a", "priority": "x"}, "status": {"conditions": 3}})
    yield {"metadata": {"ownerReferences": [{"kind": "Pod", "name": "three"}]}, "status": {"conditions": [None, 1]}}


def test_objects_of_any_shape_are_read() -> None:
    queues = {"team-a": {"spec": [], "status": {"conditions": [{"type": "Active"}]}}}
    found = explain("three", kueue=KueueObjects(list(_broken()), queues, {}))
    assert found.place.name == "team-a"
