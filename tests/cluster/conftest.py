"""A real Kubernetes API with Argo's CRDs, named by `KUBECONFIG`."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from kubernetes import client, config


@pytest.fixture(scope="session")
def api() -> Iterator[client.ApiClient]:
    if not os.environ.get("KUBECONFIG"):
        message = "no cluster: KUBECONFIG is not set"
        if "cluster" in os.environ.get("ODAHU_ARGO_REQUIRE", ""):
            pytest.fail(message)
        pytest.skip(message)
    config.load_kube_config()
    with client.ApiClient() as api:
        yield api
