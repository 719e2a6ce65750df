"""Namespaces with finished trainings on a real Kubernetes API, as Argo would leave them."""

from __future__ import annotations

import copy
import json
import subprocess
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from odahu_argo import build_plans, compile_workflow, connect, load, resolve
from odahu_argo.kube.client import KubeCluster
from odahu_argo.kube.cluster import NAMESPACE, WORKFLOW
from odahu_argo.profile import load_profile
from tests.bench import manifests
from tests.bench.peers import system
from tests.conftest import ROOT

_RECORDING = ROOT / "tests" / "data" / "argo-recordings" / "succeeded-hardened-gpu.json"
_AT_ONCE = 12


@contextmanager
def namespace_of_trainings(count: int) -> Iterator[str]:
    """Create a namespace with `count` trainings, yield its name, and delete it."""
    cluster = connect(f"bench-{uuid.uuid4().hex[:8]}")
    cluster.create(NAMESPACE, {"metadata": {"name": cluster.namespace}})
    try:
        fill(cluster, range(count))
        yield cluster.namespace
    finally:
        _empty(cluster.namespace)
        cluster.delete(NAMESPACE, cluster.namespace)


def _empty(namespace: str) -> None:
    """Delete all workflows and ConfigMaps. Without controllers, deleting the namespace would keep them forever."""
    for path in ("apis/argoproj.io/v1alpha1", "api/v1"):
        kind = "configmaps" if path == "api/v1" else "workflows"
        address = f"/{path}/namespaces/{namespace}/{kind}"
        subprocess.run([system("kubectl"), "delete", "--raw", address], capture_output=True, check=False)


def fill(cluster: KubeCluster, numbers: range) -> None:
    """Create the workflows of these trainings."""
    workflow, status = _compiled(), json.loads(_RECORDING.read_text())["status"]

    def create(number: int) -> None:
        cluster.create(WORKFLOW, _numbered(workflow, status, number))

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        for _ in pool.map(create, numbers):
            pass


def _compiled() -> dict[str, Any]:
    with TemporaryDirectory() as folder:
        profile = load_profile(manifests.write(Path(folder), 1))
        plans = build_plans(resolve(load([Path(folder) / "manifests"]), profile), profile)
    [plan] = plans
    return compile_workflow(plan)


def _numbered(workflow: dict[str, Any], status: dict[str, Any], number: int) -> dict[str, Any]:
    """Return a copy of the workflow for another training, with node names as Argo would choose them."""
    name = f"flowers-{number:05}"
    numbered = copy.deepcopy(workflow)
    numbered["metadata"]["name"] = f"{name}-1"
    numbered["metadata"].pop("namespace", None)
    numbered["metadata"]["labels"]["odahu.org/training-id"] = name
    numbered["metadata"]["labels"] |= {
        "workflows.argoproj.io/completed": "true",
        "workflows.argoproj.io/phase": "Succeeded",
    }
    return {**numbered, "status": json.loads(json.dumps(status).replace("hardened-gpu", f"{name}-1"))}
