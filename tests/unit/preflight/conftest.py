"""Clusters for preflight checks."""

from __future__ import annotations

from typing import Any

import pytest

from odahu_argo.errors import Forbidden
from odahu_argo.kube.cluster import CUSTOM_RESOURCE_DEFINITION, DEPLOYMENT, NAMESPACE, Object
from tests.fakes.cluster import InMemoryCluster


class ForbiddenCluster:
    """A cluster that forbids every request."""

    namespace = "ml"

    def __getattr__(self, name: str) -> Any:
        def forbid(*_: object, **__: object) -> None:
            raise Forbidden("permission denied")

        return forbid


def crd(version: str = "v1alpha1", template_fields: Object | None = None) -> Object:
    """Argo's CRD of workflows; without template fields, a minimal one."""
    spec: Object = {}
    if template_fields:
        spec = {"properties": {"templates": {"items": {"properties": template_fields}}}}
    schema = {"openAPIV3Schema": {"properties": {"spec": spec}}}
    versions = [{"name": version, "served": True, "schema": schema}]
    return {"metadata": {"name": "workflows.argoproj.io"}, "spec": {"versions": versions}}


def controller(image: str, ready: int = 1) -> Object:
    containers = [{"image": "envoy:1"}, {"image": image}]
    spec = {"template": {"spec": {"containers": containers}}}
    return {"metadata": {"name": "argo-controller"}, "spec": spec, "status": {"readyReplicas": ready}}


def install_argo(
    cluster: InMemoryCluster, image: str = "quay.io/argoproj/workflow-controller:v4.1.2", ready: int = 1, **fields: Any
) -> None:
    """Install Argo's CRD and a controller with this image."""
    cluster.create(CUSTOM_RESOURCE_DEFINITION, crd(template_fields=fields))
    cluster.in_namespace("argo").create(DEPLOYMENT, controller(image, ready))


@pytest.fixture
def cluster() -> InMemoryCluster:
    """A cluster with the namespace `ml` and nothing else."""
    cluster = InMemoryCluster("ml")
    cluster.create(NAMESPACE, {"metadata": {"name": "ml"}})
    return cluster
