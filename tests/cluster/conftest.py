"""A real Kubernetes API with Argo's CRDs, named by `KUBECONFIG`."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator

import pytest
from kubernetes import client, config

from odahu_argo.submit.cluster import NAMESPACE
from odahu_argo.submit.kube import KubeCluster, connect


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
