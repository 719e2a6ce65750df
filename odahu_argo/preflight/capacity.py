"""Check whether the cluster has a node for each step, regardless of what currently runs on the nodes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

from odahu_argo import quantity
from odahu_argo.errors import Forbidden
from odahu_argo.kube.cluster import NODE, Cluster, Object
from odahu_argo.plan.model import Plan, PlannedStep
from odahu_argo.pools import format_selector
from odahu_argo.preflight.result import CheckResult

BLOCKING_EFFECTS = ("NoSchedule", "NoExecute")
CONDITION_TAINT_PREFIX = "node.kubernetes.io/"
"""Prefix of the taints that Kubernetes sets while a node condition lasts, such as `not-ready`."""


def check_capacity(cluster: Cluster, plans: Sequence[Plan]) -> Iterator[CheckResult]:
    """Warn about steps that fit on no node. An autoscaler may still add one.

    Yield nothing if the account may not list nodes.
    """
    if not plans:
        return
    try:
        nodes = cluster.list(NODE).items
    except Forbidden:
        return
    for plan in plans:
        yield from _check_plan(plan, nodes)


def _check_plan(plan: Plan, nodes: Sequence[Object]) -> Iterator[CheckResult]:
    hint = "it stays pending until such a node exists; reduce its resources, or check pools in the profile"
    steps = {_explain_misfit(step, nodes, step.placement.gpu_resource): step for step in reversed(plan.steps)}
    steps.pop(None, None)
    for message, step in reversed(steps.items()):
        yield CheckResult("warning", f"step {step.name}", str(message), hint)
    if not steps:
        yield CheckResult("ok", "nodes", f"each step of {plan.training_id} fits on a node")


def _explain_misfit(step: PlannedStep, nodes: Sequence[Object], gpu_resource: str) -> str | None:
    """Return why a step fits on no node, or None if it fits on one."""
    eligible = [node for node in nodes if _accepts(node, step)]
    if not eligible:
        selector = " or ".join(format_selector(selector) for selector in step.placement.selectors) or "any node"
        return f"none of {len(nodes)} nodes accepts pods of the {step.placement.pool} pool ({selector})"
    requests = _requests(step, gpu_resource)
    if any(all(_allocatable(node, name) >= amount for name, amount in requests.items()) for node in eligible):
        return None
    for name, amount in requests.items():
        largest = max(_allocatable(node, name) for node in eligible)
        if largest < amount:
            resource = f"GPUs ({name})" if name == gpu_resource else name
            return f"it requests {_format(name, amount)} {resource}; the largest node has {_format(name, largest)}"
    return "no single node has the requested CPUs, memory and GPUs together"


def _requests(step: PlannedStep, gpu_resource: str) -> dict[str, Decimal]:
    """Return the amounts that the scheduler considers: requests, or limits without a request."""
    amounts = {
        "cpu": step.requests.cpu or step.limits.cpu,
        "memory": step.requests.memory or step.limits.memory,
        gpu_resource: str(step.limits.gpus) if step.limits.gpus else "",
    }
    return {name: quantity.amount(amount) for name, amount in amounts.items() if amount}


def _allocatable(node: Object, name: str) -> Decimal:
    try:
        return quantity.amount(str(((node.get("status") or {}).get("allocatable") or {}).get(name, "0")))
    except ValueError:
        return Decimal(0)


def _accepts(node: Object, step: PlannedStep) -> bool:
    """Return whether node selector, taints and cordon of the node admit the step's pod."""
    spec = node.get("spec") or {}
    labels = node["metadata"].get("labels") or {}
    selectors = step.placement.selectors or ({},)
    is_selected = any(all(labels.get(name) == value for name, value in selector.items()) for selector in selectors)
    taints = [taint for taint in spec.get("taints") or [] if _is_lasting(taint)]
    tolerated = all(any(_tolerates(toleration, taint) for toleration in step.placement.tolerations) for taint in taints)
    return is_selected and tolerated and not spec.get("unschedulable")


def _is_lasting(taint: Mapping[str, Any]) -> bool:
    """Return whether a taint blocks pods permanently, and not only while a node condition lasts."""
    return taint.get("effect") in BLOCKING_EFFECTS and not str(taint.get("key", "")).startswith(CONDITION_TAINT_PREFIX)


def _tolerates(toleration: Mapping[str, Any], taint: Mapping[str, Any]) -> bool:
    """https://kubernetes.io/docs/concepts/scheduling-eviction/taint-and-toleration/"""
    if toleration.get("effect") not in (None, taint.get("effect")):
        return False
    if toleration.get("operator") == "Exists":
        return toleration.get("key") in (None, taint.get("key"))
    return toleration.get("key") == taint.get("key") and (toleration.get("value") or "") == (taint.get("value") or "")


def _format(name: str, amount: Decimal) -> str:
    return f"{amount / 2**30:.1f}Gi" if name == "memory" else f"{amount.normalize():f}"
