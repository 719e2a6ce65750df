"""A Workflow is created exactly once, with concurrent submissions and lost responses."""

from __future__ import annotations

import threading
from multiprocessing import get_context
from multiprocessing.queues import SimpleQueue
from multiprocessing.synchronize import Barrier
from pathlib import Path

import pytest

from odahu_argo import naming
from odahu_argo.compile.schema import schema_errors
from odahu_argo.compile.workflow import compile_workflow
from odahu_argo.errors import AlreadyExists, NotFound, Rejected, Unreachable, UserError
from odahu_argo.kube.client import KubeCluster, connect
from odahu_argo.kube.cluster import WORKFLOW, Object
from odahu_argo.trainings.submit import check, submit
from tests.cluster.conftest import ProxiedCluster
from tests.manifests import plan
from tests.servers.kubernetes import ApiServer

pytestmark = pytest.mark.cluster

RACERS = 20


def race(workflow: Object, namespace: str, start: Barrier, outcomes: SimpleQueue[bool]) -> None:
    """Submit the Workflow at the same moment as the other processes."""
    cluster = connect(namespace)
    schema_errors(workflow)
    start.wait()
    outcomes.put(submit(cluster, workflow).is_new)


@pytest.fixture
def workflow(tmp_path: Path) -> Object:
    return compile_workflow(plan(tmp_path))


def workflow_names(cluster: KubeCluster) -> list[str]:
    return [item["metadata"]["name"] for item in cluster.list(WORKFLOW).items]


def creations(requests: list[str]) -> int:
    return len([line for line in requests if is_creation(line)])


def is_creation(request: str) -> bool:
    return request.startswith("POST") and "dryRun" not in request


def test_creates_workflow_as_compiled(cluster: KubeCluster, workflow: Object) -> None:
    sent = submit(cluster, workflow)
    found = cluster.get(WORKFLOW, "wine-1")
    assert (sent.name, sent.uid, sent.is_new) == ("wine-1", found["metadata"]["uid"], True)
    assert found["spec"] == workflow["spec"]


def test_twenty_concurrent_submissions_create_one_workflow(cluster: KubeCluster, workflow: Object) -> None:
    context = get_context("forkserver")
    start, outcomes = context.Barrier(RACERS), context.SimpleQueue()
    arguments = (workflow, cluster.namespace, start, outcomes)
    racers = [context.Process(target=race, args=arguments) for _ in range(RACERS)]
    for racer in racers:
        racer.start()
    for racer in racers:
        racer.join()
    assert [racer.exitcode for racer in racers] == [0] * RACERS
    assert sorted(outcomes.get() for _ in racers) == [False] * (RACERS - 1) + [True]
    assert workflow_names(cluster) == ["wine-1"]


def test_recovers_from_lost_response_to_creation(
    proxied_cluster: ProxiedCluster, cluster: KubeCluster, workflow: Object
) -> None:
    proxied_cluster.proxy.loses = lambda request: (
        is_creation(request) and creations(proxied_cluster.proxy.requests) == 1
    )
    sent = submit(proxied_cluster.cluster, workflow)
    assert sent.is_new is True
    assert sent.uid == cluster.get(WORKFLOW, "wine-1")["metadata"]["uid"]
    assert creations(proxied_cluster.proxy.requests) == 2
    assert workflow_names(cluster) == ["wine-1"]


def test_recovers_from_any_lost_response(
    proxied_cluster: ProxiedCluster, cluster: KubeCluster, workflow: Object
) -> None:
    lost: set[str] = set()

    def once_each(request: str) -> bool:
        is_new = request not in lost
        lost.add(request)
        return is_new

    proxied_cluster.proxy.loses = once_each
    assert submit(proxied_cluster.cluster, workflow).is_new is True
    assert workflow_names(cluster) == ["wine-1"]


def test_recovers_from_api_server_restart(
    proxied_cluster: ProxiedCluster, cluster: KubeCluster, workflow: Object, api_server: ApiServer
) -> None:
    proxied_cluster.proxy.loses = lambda request: (
        is_creation(request) and creations(proxied_cluster.proxy.requests) == 1
    )
    restarting = threading.Thread(target=api_server.start)

    def restart() -> None:
        api_server.kill()
        restarting.start()

    proxied_cluster.proxy.carried_out = restart
    sent = submit(proxied_cluster.cluster, workflow)
    restarting.join()
    assert sent.is_new is True
    assert sent.uid == cluster.get(WORKFLOW, "wine-1")["metadata"]["uid"]
    assert workflow_names(cluster) == ["wine-1"]


def test_reports_unknown_outcome_without_response(proxied_cluster: ProxiedCluster, workflow: Object) -> None:
    proxied_cluster.proxy.loses = is_creation
    proxied_cluster.proxy.carried_out = proxied_cluster.proxy.cut
    with pytest.raises(Unreachable, match="workflow 'wine-1' may or may not have been created") as raised:
        submit(proxied_cluster.cluster, workflow, seconds=1)
    assert "does not run twice" in str(raised.value)


def test_reports_unreachable_api(proxied_cluster: ProxiedCluster, workflow: Object) -> None:
    proxied_cluster.proxy.cut()
    with pytest.raises(Unreachable, match="cannot create Workflow wine-1"):
        submit(proxied_cluster.cluster, workflow)


def test_adopts_workflow_with_same_content(cluster: KubeCluster, workflow: Object) -> None:
    first, second = submit(cluster, workflow), submit(cluster, workflow)
    assert (second.uid, second.is_new) == (first.uid, False)


def test_rejects_workflow_with_other_content(cluster: KubeCluster, workflow: Object, tmp_path: Path) -> None:
    first = submit(cluster, workflow)
    other = compile_workflow(plan(tmp_path, hyperParameters={"alpha": "0.1"}))
    with pytest.raises(AlreadyExists, match="with different content"):
        submit(cluster, other)
    resumed = {**workflow, "metadata": {**workflow["metadata"]}}
    resumed["metadata"]["annotations"] = {**workflow["metadata"]["annotations"], naming.RESULTS_ANNOTATION: "{}"}
    with pytest.raises(AlreadyExists, match="with different content"):
        submit(cluster, resumed)
    assert cluster.get(WORKFLOW, "wine-1")["metadata"]["uid"] == first.uid


HELD = {"metadata": {"finalizers": ["example.org/hold"]}}
FREED = {"metadata": {"finalizers": None}}


def test_waits_for_deletion_of_older_workflow(
    proxied_cluster: ProxiedCluster, cluster: KubeCluster, workflow: Object
) -> None:
    first = submit(cluster, workflow)
    cluster.patch(WORKFLOW, "wine-1", HELD)
    cluster.delete(WORKFLOW, "wine-1")
    seen = proxied_cluster.proxy.requests

    def free_when_seen(request: str) -> bool:
        if creations(seen) == 2:
            cluster.patch(WORKFLOW, "wine-1", FREED)
            proxied_cluster.proxy.loses = lambda request: False
        return False

    proxied_cluster.proxy.loses = free_when_seen
    second = submit(proxied_cluster.cluster, workflow)
    assert second.is_new is True
    assert second.uid != first.uid


def test_reports_stuck_deletion(cluster: KubeCluster, workflow: Object) -> None:
    submit(cluster, workflow)
    cluster.patch(WORKFLOW, "wine-1", HELD)
    cluster.delete(WORKFLOW, "wine-1")
    try:
        with pytest.raises(AlreadyExists, match="is still being deleted") as raised:
            submit(cluster, workflow, seconds=1)
        assert "finalizers" in str(raised.value)
    finally:
        cluster.patch(WORKFLOW, "wine-1", FREED)


def test_rejected_workflow_is_not_created(cluster: KubeCluster, workflow: Object) -> None:
    unknown = {**workflow, "spec": {**workflow["spec"], "parallelisms": 3}}
    with pytest.raises(UserError, match="unknown field for Argo"):
        submit(cluster, unknown)
    wrong = {**workflow, "metadata": {**workflow["metadata"], "labels": {"a": "b c"}}}
    with pytest.raises(Rejected, match="cannot create Workflow wine-1"):
        submit(cluster, wrong)
    assert workflow_names(cluster) == []


def test_check_creates_nothing(cluster: KubeCluster, workflow: Object) -> None:
    check(cluster, workflow)
    with pytest.raises(NotFound):
        cluster.get(WORKFLOW, "wine-1")
    submit(cluster, workflow)
    with pytest.raises(AlreadyExists):
        check(cluster, workflow)
