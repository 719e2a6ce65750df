"""A real Kubernetes API with Argo's CRDs, configured by `KUBECONFIG`."""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml
from kubernetes import client, config, utils

from odahu_argo.kube.client import KubeCluster, connect
from odahu_argo.kube.cluster import NAMESPACE
from tests.cluster.site import Site
from tests.commands import odahu_argo
from tests.servers.browser import browser, visit
from tests.servers.helm import helm
from tests.servers.kubernetes import ApiServer, Proxy, proxied
from tests.servers.mlflow_server import mlflow_server
from tests.servers.odahu_cli import odahuflowctl
from tests.servers.odahu_sdk import sdk

__all__ = ["browser", "helm", "mlflow_server", "odahuflowctl", "sdk", "visit"]


@pytest.fixture(scope="session")
def kubeconfig() -> str:
    """The path of the kubeconfig."""
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
    """A client with a new namespace."""
    name = f"test-{uuid.uuid4().hex[:12]}"
    cluster = connect(name)
    cluster.create(NAMESPACE, {"metadata": {"name": name}})
    yield cluster
    cluster.delete(NAMESPACE, name)


@pytest.fixture
def api_server(kubeconfig: str) -> Iterator[ApiServer]:
    """The API server's process, which a test may kill. It is restarted afterwards."""
    server = ApiServer(Path(kubeconfig))
    yield server
    server.start()


@dataclass(frozen=True)
class ProxiedCluster:
    """A client of the test's namespace that uses a proxy."""

    proxy: Proxy
    cluster: KubeCluster


@pytest.fixture
def proxied_cluster(
    kubeconfig: str, cluster: KubeCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[ProxiedCluster]:
    with proxied(Path(kubeconfig), tmp_path) as (proxy, file):
        with monkeypatch.context() as patched:
            patched.setenv("KUBECONFIG", str(file))
            connected = connect(cluster.namespace)
        yield ProxiedCluster(proxy, connected)


@pytest.fixture
def site(api: client.ApiClient, tmp_path: Path) -> Iterator[Site]:
    """A new namespace with the objects of `setup` and three connections."""
    namespace = f"trainings-{os.getpid()}-{time.monotonic_ns() % 10**9}"
    profile = tmp_path / "profile.yaml"
    profile.write_text(f"namespace: {namespace}\n", encoding="utf-8")
    printed = odahu_argo("setup", "--profile", profile)
    assert printed.code == 0, printed.err
    for manifest in yaml.safe_load_all(printed.out):
        utils.create_from_dict(api, manifest)
    connections = {
        "code": {"type": "git", "uri": "https://git.example.org/ml/code.git"},
        "wine-data": {"type": "s3", "uri": "s3://wine/data/"},
        "models-output": {"type": "s3", "uri": "s3://models/"},
    }
    for name, fields in connections.items():
        secret = client.V1Secret(metadata=client.V1ObjectMeta(name=f"connection-{name}"), string_data=fields)
        client.CoreV1Api(api).create_namespaced_secret(namespace, secret)
    site = Site(api, namespace, tmp_path)
    yield site
    client.CoreV1Api(api).delete_namespace(namespace)
