"""Toolchains of the API server on a real Kubernetes API."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from odahu_argo.kube.client import KubeCluster
from tests.commands import odahu_argo
from tests.servers.api import ApiClient, signed_in

pytestmark = pytest.mark.cluster
TOOLCHAINS = "/api/v1/toolchain/integration"
SPEC = {
    "entrypoint": "least-squares",
    "defaultImage": "registry.example.org/line:1",
    "additionalEnvironments": {"A": "1"},
}


@pytest.fixture
def api(cluster: KubeCluster) -> Iterator[ApiClient]:
    with signed_in("-n", cluster.namespace) as client:
        yield client


def test_api_and_command_line_share_toolchains(cluster: KubeCluster, api: ApiClient) -> None:
    created = api.post(TOOLCHAINS, json={"id": "line", "spec": SPEC})
    assert created.status_code == 201, created.text
    assert (created.json()["id"], created.json()["spec"]) == ("line", SPEC)
    assert created.json()["createdAt"]
    assert api.post(TOOLCHAINS, json={"id": "line", "spec": SPEC}).status_code == 409
    [shown] = json.loads(odahu_argo("ti", "get", "--id", "line", "-o", "json", "-n", cluster.namespace).out)
    assert api.get(f"{TOOLCHAINS}/line").json() == shown

    def ids(**query: Any) -> list[str]:
        return [item["id"] for item in api.get(TOOLCHAINS, params=query).json()]

    assert ids() == ["line", "mlflow", "mlflow-project"]
    assert ids(size=1, page=1) == ["mlflow"]
    changed = api.put(TOOLCHAINS, json={**shown, "spec": {"entrypoint": "line"}})
    assert (changed.status_code, changed.json()["spec"]) == (200, {"entrypoint": "line"})
    assert api.put(TOOLCHAINS, json={"id": "other", "spec": SPEC}).status_code == 404
    wrong = api.post(TOOLCHAINS, json={"id": "other", "spec": {"entrypont": "x"}})
    assert (wrong.status_code, "entrypont" in wrong.json()["message"]) == (400, True)
    assert api.delete(f"{TOOLCHAINS}/line").json() == {"message": "ToolchainIntegration line was deleted"}
    assert [api.delete(f"{TOOLCHAINS}/{name}").status_code for name in ("line", "mlflow")] == [404, 404]
    assert ids() == ["mlflow", "mlflow-project"]
