"""Queues on a real Kubernetes API with Kueue's controller. No pods run; Kueue admits them all the same."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest

from odahu_argo.errors import NotFound
from odahu_argo.kube.client import KubeCluster, connect
from odahu_argo.kube.cluster import (
    CLUSTER_QUEUE,
    CUSTOM_RESOURCE_DEFINITION,
    LOCAL_QUEUE,
    POD,
    RESOURCE_FLAVOR,
    SERVICE_ACCOUNT,
    WORKFLOW,
    WORKLOAD,
)
from odahu_argo.status.nodes import pod_name
from odahu_argo.status.queues import condition
from odahu_argo.status.snapshot import take_snapshot
from tests.cluster.site import Site

pytestmark = pytest.mark.cluster

GPU = {"limits": {"gpu": "1"}}


@pytest.fixture
def queues(site: Site) -> Iterator[KubeCluster]:
    """The queue of a team with two GPUs, made by `setup queues`. Its ClusterQueue has the name of the namespace."""
    cluster = connect(site.namespace)
    try:
        cluster.get(CUSTOM_RESOURCE_DEFINITION, LOCAL_QUEUE.resource)
    except NotFound:
        if "kueue" in os.environ.get("ODAHU_ARGO_REQUIRE", ""):
            pytest.fail("the cluster has no Kueue")
        pytest.skip("the cluster has no Kueue")
    name = site.namespace
    cluster.apply(SERVICE_ACCOUNT, {"metadata": {"name": "default"}})
    profile = site.folder / "profile.yaml"
    profile.write_text(
        f"namespace: {name}\n"
        f"pools: {{gpu: {{name: {name}, node_selector: {{accelerator: a100}}}}}}\n"
        f"teams: [{{name: {name}, quota: {{{name}: {{cpu: 64, memory: 512Gi, gpu: 2}}}}}}]\n"
    )
    installed = site.run("setup", "queues", "--profile", profile, "--apply")
    assert installed.code == 0, installed.err
    yield cluster
    for kind in (CLUSTER_QUEUE, RESOURCE_FLAVOR):
        cluster.delete(kind, name)
        with suppress(NotFound):
            cluster.patch(kind, name, {"metadata": {"finalizers": None}})


def wait(check: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + 30
    while not (found := check()) and time.monotonic() < deadline:
        time.sleep(0.2)
    return found


def put_pod(cluster: KubeCluster, name: str, template: dict[str, Any]) -> None:
    """Create the pod of a template, as Argo's controller does."""
    labels = template["metadata"]["labels"]
    resources = template["container"]["resources"]
    containers = [{"name": "main", "image": "registry.example.org/none", "resources": resources}]
    selector = template.get("nodeSelector", {})
    cluster.create(
        POD,
        {"metadata": {"name": name, "labels": labels}, "spec": {"nodeSelector": selector, "containers": containers}},
    )


def start_training(site: Site, cluster: KubeCluster, **spec: Any) -> None:
    """Create a training and the pod of its step train, which has not started."""
    created = site.create("--profile", site.folder / "profile.yaml", **{"resources": GPU, **spec})
    assert created.code == 0, created.err
    site.play("wine-1", "running-train-unschedulable")
    workflow = site.workflow("wine-1")
    nodes = {key: {"message": ""} for key, node in workflow["status"]["nodes"].items() if node.get("message")}
    cluster.patch(WORKFLOW, "wine-1", {"status": {"nodes": nodes}})
    [node] = [node for step, node in take_snapshot(workflow, {}).pods if step.name == "train"]
    [template] = [item for item in workflow["spec"]["templates"] if item["name"] == "train"]
    put_pod(cluster, pod_name(workflow["metadata"], node), template)


def other_pods(cluster: KubeCluster, queue: str, *names: str) -> None:
    resources = {"limits": {"cpu": "1", "memory": "1Gi", "nvidia.com/gpu": "1"}}
    template = {"metadata": {"labels": {"kueue.x-k8s.io/queue-name": queue}}, "container": {"resources": resources}}
    for name in names:
        put_pod(cluster, name, template)


def admitted(cluster: KubeCluster) -> int:
    return sum(condition(item, "Admitted").get("status") == "True" for item in cluster.list(WORKLOAD).items)


def test_queued_training_reports_its_place(site: Site, queues: KubeCluster) -> None:
    name = site.namespace
    other_pods(queues, name, "one", "two")
    assert wait(lambda: admitted(queues) == 2)
    start_training(site, queues, queue=name)
    needs = f"needs 1 more nvidia.com/gpu of flavor {name} (quota 2, 2 in use)"
    status = wait(lambda: (shown := site.get()["status"])["message"].endswith(needs) and shown)
    assert (status["state"], status["reason"]) == ("scheduling", "Queued")
    assert status["message"] == f"queued in {name}, 1st of 1; {needs}"
    assert status["argo"]["queue"] == {"name": name, "position": 1, "length": 1}
    table = site.run("train", "get", "-o", "wide").out
    assert f"{name} 1/1" in table
    queues.patch(LOCAL_QUEUE, name, {"spec": {"stopPolicy": "Hold"}})
    assert wait(lambda: site.get()["status"]["reason"] == "QueueStopped")
    queues.patch(LOCAL_QUEUE, name, {"spec": {"stopPolicy": "None"}})
    for pod in ("one", "two"):
        queues.patch(POD, pod, {"metadata": {"finalizers": None}})
        queues.delete(POD, pod)
    assert wait(lambda: site.get()["status"]["reason"] == "waiting for step train")


def test_training_that_exceeds_the_quota_never_starts(site: Site, queues: KubeCluster) -> None:
    start_training(site, queues, queue=site.namespace, resources={"limits": {"gpu": "3"}})
    assert wait(lambda: site.get()["status"]["reason"] == "ExceedsQuota")


def test_missing_queue_is_refused(site: Site, queues: KubeCluster) -> None:
    refused = site.create("--profile", site.folder / "profile.yaml", queue="tema-a")
    assert refused.code == 2
    assert "queue tema-a does not exist in the namespace" in refused.err
    assert f"hint: set spec.queue to one of {site.namespace}" in refused.err
    assert site.workflows() == []


def test_doctor_warns_about_a_stopped_queue(site: Site, queues: KubeCluster) -> None:
    queues.patch(CLUSTER_QUEUE, site.namespace, {"spec": {"stopPolicy": "Hold"}})
    checked = site.run("doctor", "-f", site.manifest(queue=site.namespace), "-o", "json")
    [result] = [item for item in json.loads(checked.out) if item["subject"] == f"queue {site.namespace}"]
    assert (result["level"], "is stopped" in result["message"]) == ("warning", True)
