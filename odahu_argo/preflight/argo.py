"""Checks of the Argo installation: its CRDs, controller and version."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from odahu_argo import naming
from odahu_argo.errors import Forbidden, NotFound
from odahu_argo.kube.argo_server import ArgoServer
from odahu_argo.kube.cluster import (
    CUSTOM_RESOURCE_DEFINITION,
    DEPLOYMENT,
    DEPLOYMENT_ALL_NAMESPACES,
    WORKFLOW,
    Cluster,
    Object,
)
from odahu_argo.plan.model import Plan
from odahu_argo.preflight.result import CheckResult

MIN_VERSION = (3, 6)
CONTROLLER = "workflow-controller"
_INSTALL_HINT = "install Argo Workflows: https://argo-workflows.readthedocs.io/en/latest/installation/"
_VERSION = re.compile(r"v?(\d+)\.(\d+)(\.\d+)?\b")
_Version = tuple[int, int]


@dataclass(frozen=True, slots=True)
class _Controller:
    """A Deployment of Argo's controller. `version` is None if the image tag contains none."""

    namespace: str
    deployment: str
    image: str
    version: _Version | None
    is_ready: bool

    def __str__(self) -> str:
        return f"{self.namespace}/{self.deployment}"


def check_argo(cluster: Cluster, argo_server_url: str | None, plans: Sequence[Plan]) -> Iterator[CheckResult]:
    """Check CRDs, controllers and version, and whether the recorder runs if the plans limit the wait for a node.

    The version comes from the image tags of the controllers, or else from Argo Server. What the account may not read is
    skipped.
    """
    try:
        yield _check_served_version(cluster.get(CUSTOM_RESOURCE_DEFINITION, WORKFLOW.resource))
    except NotFound:
        message = f"the cluster has no CustomResourceDefinition {WORKFLOW.resource}"
        yield CheckResult("error", "Argo", message, _INSTALL_HINT)
        return
    except Forbidden:
        pass
    controllers = _find_controllers(cluster)
    if controllers is not None:
        yield from _check_controllers(controllers)
    versions = [controller.version for controller in controllers or () if controller.version]
    version = min(versions) if versions else None
    if version is None and argo_server_url:
        version = _parse_version(ArgoServer(argo_server_url).version())
    if version is not None:
        yield _check_version(version)
    if any(step.pending_timeout for plan in plans for step in plan.steps):
        yield from _check_recorder(cluster)


def _check_served_version(crd: Object) -> CheckResult:
    served = [version.get("name") for version in crd["spec"].get("versions", []) if version.get("served")]
    if WORKFLOW.version in served:
        return CheckResult("ok", "Argo", f"{WORKFLOW.resource} serves {WORKFLOW.version}")
    message = f"{WORKFLOW.resource} serves {', '.join(map(str, served))}, not {WORKFLOW.version}"
    return CheckResult("error", "Argo", message, _INSTALL_HINT)


def _find_controllers(cluster: Cluster) -> list[_Controller] | None:
    """Return the controllers of all namespaces, or None if the account may not list Deployments."""
    try:
        deployments = cluster.list(DEPLOYMENT_ALL_NAMESPACES).items
    except Forbidden:
        return None
    return [controller for deployment in deployments if (controller := _parse_controller(deployment))]


def _parse_controller(deployment: Object) -> _Controller | None:
    containers = deployment["spec"]["template"]["spec"].get("containers") or []
    images = [str(container.get("image", "")) for container in containers]
    image = next((image for image in images if re.search(rf"(^|/){CONTROLLER}(:|@|$)", image)), None)
    if image is None:
        return None
    metadata, status = deployment["metadata"], deployment.get("status") or {}
    version = _parse_version(image.partition("@")[0].rpartition(":")[2])
    return _Controller(metadata["namespace"], metadata["name"], image, version, bool(status.get("readyReplicas")))


def _parse_version(text: str | None) -> _Version | None:
    match = _VERSION.match(text or "")
    return (int(match[1]), int(match[2])) if match else None


def _check_controllers(controllers: Sequence[_Controller]) -> Iterator[CheckResult]:
    subject = "Argo controller"
    if not controllers:
        message = f"no Deployment runs an image {CONTROLLER}; without a controller, trainings stay in state scheduling"
        yield CheckResult("warning", subject, message, f"unless the controller runs elsewhere, {_INSTALL_HINT}")
    for controller in controllers:
        if controller.is_ready:
            yield CheckResult("ok", subject, f"{controller} runs {controller.image}")
        else:
            message = f"{controller} has no ready pod; trainings stay in state scheduling"
            hint = f"run `kubectl describe deployment {controller.deployment} -n {controller.namespace}`"
            yield CheckResult("warning", subject, message, hint)


def _check_version(version: _Version) -> CheckResult:
    text, minimum = ".".join(map(str, version)), ".".join(map(str, MIN_VERSION))
    if version < MIN_VERSION:
        message = f"Argo {text} is not supported; the oldest supported version is {minimum}"
        return CheckResult("error", "Argo version", message, "upgrade Argo Workflows")
    return CheckResult("ok", "Argo version", text)


def _check_recorder(cluster: Cluster) -> Iterator[CheckResult]:
    """Check that the recorder is installed, which enforces `pools.gpu.pending_timeout`."""
    try:
        cluster.get(DEPLOYMENT, naming.RECORDER)
    except NotFound:
        message = "the recorder is not installed: pods wait for a GPU node without limit"
        hint = "install it with odahu-argo setup --apply, or set pools.gpu.pending_timeout: none in the profile"
        yield CheckResult("warning", "pending timeout", message, hint)
    except Forbidden:
        pass
