"""Checks of node capacity."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from odahu_argo.kube.cluster import NODE
from odahu_argo.preflight.capacity import check_capacity
from odahu_argo.profile import parse_profile
from tests.fakes.cluster import InMemoryCluster
from tests.manifests import plan
from tests.unit.preflight.conftest import ForbiddenCluster

AMOUNTS = {"cpu": "4", "memory": "16Gi", "nvidia.com/gpu": "2"}
GPU_TAINT = {"key": "nvidia.com/gpu", "effect": "NoSchedule"}


def add_node(cluster: InMemoryCluster, name: str = "node", **spec: Any) -> None:
    body = {"metadata": {"name": name, "labels": {"pool": "a"}}, "spec": spec, "status": {"allocatable": AMOUNTS}}
    cluster.create(NODE, body)


def warnings(cluster: Any, tmp_path: Path, profile: str = "", **spec: Any) -> dict[str, str]:
    compiled = plan(tmp_path, parse_profile(profile, "profile.yaml"), **spec)
    return {
        result.subject: result.message for result in check_capacity(cluster, [compiled]) if result.level == "warning"
    }


def test_passes_if_a_node_has_the_resources(cluster: InMemoryCluster, tmp_path: Path) -> None:
    add_node(cluster)
    assert warnings(cluster, tmp_path, resources={"limits": {"gpu": 2}}) == {}


@pytest.mark.parametrize(
    ("resources", "message"),
    [
        ({"limits": {"gpu": 64}}, "it requests 64 GPUs (nvidia.com/gpu); the largest node has 2"),
        (
            {"limits": {"memory": "64Gi"}, "requests": {"memory": "64Gi"}},
            "it requests 64.0Gi memory; the largest node has 16.0Gi",
        ),
    ],
)
def test_warns_with_the_amounts(
    cluster: InMemoryCluster, tmp_path: Path, resources: dict[str, Any], message: str
) -> None:
    add_node(cluster)
    assert warnings(cluster, tmp_path, resources=resources) == {"step train": message}


def test_warns_if_no_single_node_has_all_resources(cluster: InMemoryCluster, tmp_path: Path) -> None:
    big_memory, many_gpus = {**AMOUNTS, "memory": "128Gi", "nvidia.com/gpu": "0"}, AMOUNTS
    for name, allocatable in {"memory": big_memory, "gpus": many_gpus}.items():
        cluster.create(NODE, {"metadata": {"name": name}, "status": {"allocatable": allocatable}})
    resources = {"limits": {"memory": "64Gi", "gpu": 1}, "requests": {"memory": "64Gi"}}
    assert warnings(cluster, tmp_path, resources=resources) == {
        "step train": "no single node has the requested CPUs, memory and GPUs together"
    }


@pytest.mark.parametrize("spec", [{"taints": [GPU_TAINT]}, {"unschedulable": True}], ids=["taint", "cordon"])
def test_warns_if_no_node_accepts_the_pods(cluster: InMemoryCluster, tmp_path: Path, spec: dict[str, Any]) -> None:
    add_node(cluster, **spec)
    message = warnings(cluster, tmp_path)["step checkout"]
    assert message == "none of 1 nodes accepts pods of the cpu pool (any node)"


def test_considers_selectors_and_tolerations(cluster: InMemoryCluster, tmp_path: Path) -> None:
    add_node(cluster, taints=[GPU_TAINT])
    tolerating = "pools: {cpu: {node_selector: {pool: a}, tolerations: [{key: nvidia.com/gpu, operator: Exists}]}}"
    assert warnings(cluster, tmp_path, tolerating) == {}
    assert "(pool=b)" in warnings(cluster, tmp_path, tolerating.replace("pool: a", "pool: b"))["step checkout"]


def test_ignores_taints_of_node_conditions(cluster: InMemoryCluster, tmp_path: Path) -> None:
    add_node(cluster, taints=[{"key": "node.kubernetes.io/not-ready", "effect": "NoExecute"}])
    assert warnings(cluster, tmp_path) == {}


def test_is_skipped_if_nodes_cannot_be_listed(tmp_path: Path) -> None:
    assert warnings(ForbiddenCluster(), tmp_path) == {}
