"""Toolchains of the API server on a real Kubernetes API."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from odahu_argo.kube.client import KubeCluster
from tests.commands import odahu_argo
from tests.servers.api import serving

pytestmark = pytest.mark.cluster
SPEC = {
    "entrypoint": "least-squares",
    "defaultImage": "registry.example.org/line:1",
    "additionalEnvironments": {"A": "1"},
}


@pytest.fixture
def toolchains(cluster: KubeCluster) -> Iterator[str]:
    with serving("-n", cluster.namespace) as address:
        yield f"{address}/api/v1/toolchain/integration"


def test_api_and_command_line_share_toolchains(cluster: KubeCluster, toolchains: str) -> None:
    created = requests.post(toolchains, json={"id": "line", "spec": SPEC})
    assert created.status_code == 201, created.text
    assert (created.json()["id"], created.json()["spec"]) == ("line", SPEC)
    assert created.json()["createdAt"]
    assert requests.post(toolchains, json={"id": "line", "spec": SPEC}).status_code == 409
    [shown] = json.loads(odahu_argo("ti", "get", "--id", "line", "-o", "json", "-n", cluster.namespace).out)
    assert requests.get(f"{toolchains}/line").json() == shown

    def ids(**query: Any) -> list[str]:
        return [item["id"] for item in requests.get(toolchains, query).json()]

    assert ids() == ["line", "mlflow", "mlflow-project"]
    assert ids(size=1, page=1) == ["mlflow"]
    changed = requests.put(toolchains, json={**shown, "spec": {"entrypoint": "line"}})
    assert (changed.status_code, changed.json()["spec"]) == (200, {"entrypoint": "line"})
    assert requests.put(toolchains, json={"id": "other", "spec": SPEC}).status_code == 404
    wrong = requests.post(toolchains, json={"id": "other", "spec": {"entrypont": "x"}})
    assert (wrong.status_code, "entrypont" in wrong.json()["message"]) == (400, True)
    assert requests.delete(f"{toolchains}/line").json() == {"message": "ToolchainIntegration line was deleted"}
    assert [requests.delete(f"{toolchains}/{name}").status_code for name in ("line", "mlflow")] == [404, 404]
    assert ids() == ["mlflow", "mlflow-project"]
