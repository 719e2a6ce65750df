"""Checks of queues, on an in-memory cluster with the queues that Kueue recorded."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from odahu_argo.kube.cluster import CLUSTER_QUEUE, LOCAL_QUEUE, WORKLOAD_PRIORITY_CLASS
from odahu_argo.preflight.queues import check_queues
from odahu_argo.preflight.result import CheckResult
from odahu_argo.profile import Profile, parse_profile
from tests.fakes.cluster import InMemoryCluster
from tests.manifests import plan


@pytest.fixture
def kueue(cluster: InMemoryCluster) -> InMemoryCluster:
    kinds = {kind.name: kind for kind in (LOCAL_QUEUE, CLUSTER_QUEUE)}
    for item in json.loads(Path("tests/data/kueue-recordings.json").read_text())["items"]:
        if item["kind"] in kinds:
            cluster.create(kinds[item["kind"]], item)
    cluster.create(WORKLOAD_PRIORITY_CLASS, {"metadata": {"name": "high"}})
    return cluster


def test_existing_queue_passes(kueue: InMemoryCluster, tmp_path: Path) -> None:
    planned = plan(tmp_path, queue="team-a", priority="high")
    assert list(check_queues(kueue, Profile(), [planned])) == [
        CheckResult("ok", "queue team-a", "it admits trainings; 4 wait in it")
    ]


def test_missing_queue_and_priority_are_errors(kueue: InMemoryCluster, tmp_path: Path) -> None:
    queue, priority = check_queues(kueue, Profile(), [plan(tmp_path, queue="tema-a", priority="low")])
    assert (queue.level, queue.message) == ("error", "queue tema-a does not exist in the namespace")
    assert queue.hint == "set spec.queue to one of gpu-only, noflavor, orphan, other, tainted, team-a"
    assert (priority.level, priority.hint) == ("error", "set spec.priority to one of high")


def test_queue_that_admits_nothing_is_a_warning(kueue: InMemoryCluster, tmp_path: Path) -> None:
    kueue.patch(LOCAL_QUEUE, "team-a", {"spec": {"stopPolicy": "Hold"}})
    [result] = check_queues(kueue, Profile(), [plan(tmp_path, queue="team-a")])
    assert (result.level, result.message) == ("warning", "queue team-a is stopped and admits no trainings")


def test_queues_of_the_profile_are_checked(kueue: InMemoryCluster) -> None:
    profile = parse_profile("queue: team-a\npools: {gpu: {queue: gone}}", "profile.yaml")
    levels = {result.subject: result.level for result in check_queues(kueue, profile, [])}
    assert levels == {"queue team-a": "ok", "queue gone": "error"}


def test_no_request_without_a_queue(cluster: InMemoryCluster, tmp_path: Path) -> None:
    before = len(cluster.requests)
    assert list(check_queues(cluster, Profile(), [plan(tmp_path)])) == []
    assert len(cluster.requests) == before
