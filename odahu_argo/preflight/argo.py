"""Argo as it is installed: its definitions, its controller, and whether they are new enough for what is compiled."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from odahu_argo.errors import Forbidden, NotFound
from odahu_argo.kube.argo_server import ArgoServer
from odahu_argo.kube.cluster import CUSTOM_RESOURCE_DEFINITION, DEPLOYMENT_ALL_NAMESPACES, WORKFLOW, Cluster, Object
from odahu_argo.plan.model import Plan
from odahu_argo.preflight.result import Finding

OLDEST = (3, 6)
KNOWS_PENDING_TIMEOUT = (4, 1)
CONTROLLER = "workflow-controller"
_INSTALL = "install Argo Workflows: https://argo-workflows.readthedocs.io/en/latest/installation/"
_VERSION = re.compile(r"v?(\d+)\.(\d+)(\.\d+)?\b")


@dataclass(frozen=True, slots=True)
class _Controller:
    """`number` is None where the image's tag tells no version."""

    place: str
    image: str
    number: tuple[int, int] | None
    is_ready: bool


def check_argo(cluster: Cluster, url: str | None, plans: Sequence[Plan]) -> Iterator[Finding]:
    """The version comes from the controllers' Deployments, else from Argo Server at `url`, as far as these can be seen."""
    definition = None
    try:
        definition = cluster.get(CUSTOM_RESOURCE_DEFINITION, f"{WORKFLOW.plural}.{WORKFLOW.group}")
        yield _served(definition)
    except NotFound:
        yield Finding("error", "Argo", "the cluster has no CustomResourceDefinition workflows.argoproj.io", _INSTALL)
        return
    except Forbidden:
        pass
    controllers = _controllers(cluster)
    yield from _running(controllers)
    numbers = [each.number for each in controllers or () if each.number]
    number = min(numbers) if numbers else _number(ArgoServer(url).version()) if url else None
    if number is not None:
        yield _age(number)
    if any(step.pending_timeout for plan in plans for step in plan.steps):
        yield from _pending_timeout(definition, number)


def _served(definition: Object) -> Finding:
    name = f"{WORKFLOW.plural}.{WORKFLOW.group}"
    served = [version.get("name") for version in definition["spec"].get("versions", []) if version.get("served")]
    if WORKFLOW.version in served:
        return Finding("ok", "Argo", f"{name} serves {WORKFLOW.version}")
    return Finding("error", "Argo", f"{name} serves {', '.join(map(str, served))}, not {WORKFLOW.version}", _INSTALL)


def _controllers(cluster: Cluster) -> list[_Controller] | None:
    """None where Deployments of other namespaces may not be seen."""
    try:
        found = cluster.list(DEPLOYMENT_ALL_NAMESPACES).items
    except Forbidden:
        return None
    return [controller for each in found if (controller := _controller(each))]


def _controller(deployment: Object) -> _Controller | None:
    containers = deployment["spec"]["template"]["spec"].get("containers") or []
    images = [str(each.get("image", "")) for each in containers]
    image = next((each for each in images if re.search(rf"(^|/){CONTROLLER}(:|@|$)", each)), None)
    if image is None:
        return None
    metadata, status = deployment["metadata"], deployment.get("status") or {}
    tag = image.partition("@")[0].rpartition(":")[2]
    place = f"{metadata.get('namespace')}/{metadata.get('name')}"
    return _Controller(place, image, _number(tag), bool(status.get("readyReplicas")))


def _number(version: str | None) -> tuple[int, int] | None:
    found = _VERSION.match(version or "")
    return (int(found[1]), int(found[2])) if found else None


def _running(controllers: Sequence[_Controller] | None) -> Iterator[Finding]:
    subject = "Argo's controller"
    if controllers is None:
        return
    if not controllers:
        message = f"no Deployment runs an image {CONTROLLER}; without a controller trainings stay scheduling"
        yield Finding("warning", subject, message, f"if it does not run elsewhere, {_INSTALL}")
    for each in controllers:
        if each.is_ready:
            yield Finding("ok", subject, f"{each.place} runs {each.image}")
        else:
            hint = (
                f"kubectl describe deployment {each.place.partition('/')[2]} -n {each.place.partition('/')[0]} says why"
            )
            yield Finding("warning", subject, f"{each.place} has no pod that is ready; trainings stay scheduling", hint)


def _age(number: tuple[int, int]) -> Finding:
    shown, oldest = ".".join(map(str, number)), ".".join(map(str, OLDEST))
    if number < OLDEST:
        message = f"Argo {shown} is older than {oldest}, the oldest for which trainings are compiled"
        return Finding("error", "Argo's version", message, "upgrade Argo Workflows")
    return Finding("ok", "Argo's version", shown)


def _pending_timeout(definition: Object | None, number: tuple[int, int] | None) -> Iterator[Finding]:
    subject = "limit on waiting"
    hint = "upgrade Argo to 4.1, or set pools.gpu.pending_timeout: none in the profile"
    fields = _template_fields(definition) if definition else {}
    if fields and "pendingTimeout" not in fields:
        message = "Argo's definitions are of before 4.1 and refuse pendingTimeout, which a GPU training has"
        yield Finding("error", subject, message, hint)
    elif not fields and number is not None and number < KNOWS_PENDING_TIMEOUT:
        message = (
            "Argo before 4.1 ignores pendingTimeout: a training that finds no GPU node waits until timeouts.workflow"
        )
        yield Finding("warning", subject, message, hint)


def _template_fields(definition: Object) -> dict[str, Any]:
    """The fields of a template that the API checks; none where it takes whatever comes, as Argo's minimal definitions do."""
    for version in definition["spec"].get("versions", []):
        at: Any = (version.get("schema") or {}).get("openAPIV3Schema")
        for name in ("properties", "spec", "properties", "templates", "items", "properties"):
            at = at.get(name) if isinstance(at, dict) else None
        if version.get("name") == WORKFLOW.version and isinstance(at, dict):
            return at
    return {}
