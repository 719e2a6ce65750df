"""A real Kubernetes API with Argo's CRDs, named by `KUBECONFIG`."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from kubernetes import client, config

from odahu_argo.kube.client import KubeCluster, connect
from odahu_argo.kube.cluster import NAMESPACE
from tests.servers.kubernetes import ApiServer, Proxy, proxied


@pytest.fixture(scope="session")
def kubeconfig() -> str:
    """The file that names the cluster."""
    named = os.environ.get("KUBECONFIG")
    if not named:
        message = "no cluster: KUBECONFIG is not set"
        if "cluster" in os.environ.get("ODAHU_ARGO_REQUIRE", ""):
            pytest.fail(message)
        pytest.skip(message)
    return named


@pytest.fixture(scope="session")
def api(kubeconfig: str) -> Iterator[client.ApiClient]:
    config.load_kube_config(kubeconfig)
    with client.ApiClient() as api:
        yield api


@pytest.fixture
def cluster(kubeconfig: str) -> Iterator[KubeCluster]:
    """The cluster, seen through a namespace of the test's own."""
    name = f"test-{uuid.uuid4().hex[:12]}"
    cluster = connect(name)
    cluster.create(NAMESPACE, {"metadata": {"name": name}})
    yield cluster
    cluster.delete(NAMESPACE, name)


@pytest.fixture
def api_server(kubeconfig: str) -> Iterator[ApiServer]:
    """The API's process, which a test may kill; it is up again afterwards."""
    server = ApiServer(Path(kubeconfig))
    yield server
    server.start()


@dataclass(frozen=True)
class Through:
    """The test's namespace seen through a proxy."""

    proxy: Proxy
    cluster: KubeCluster


@pytest.fixture
def through(
    kubeconfig: str, cluster: KubeCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Through]:
    with proxied(Path(kubeconfig), tmp_path) as (proxy, file):
        with monkeypatch.context() as patched:
            patched.setenv("KUBECONFIG", str(file))
            connected = connect(cluster.namespace)
        yield Through(proxy, connected)
