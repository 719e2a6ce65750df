"""Whether some node could ever hold each step of a training, as far as nodes can be seen."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

from odahu_argo import quantity
from odahu_argo.errors import Forbidden
from odahu_argo.kube.cluster import NODE, Cluster, Object
from odahu_argo.plan.model import Plan, PlannedStep
from odahu_argo.preflight.result import Finding

KEEPS_OUT = ("NoSchedule", "NoExecute")
CONDITIONS = "node.kubernetes.io/"
"""Taints that Kubernetes sets itself, for the time that a condition lasts."""


def room_on_nodes(cluster: Cluster, plans: Sequence[Plan]) -> Iterator[Finding]:
    """A warning for each step that no node could hold even if it were empty; an autoscaler may still bring one that can."""
    if not plans:
        return
    try:
        nodes = cluster.list(NODE).items
    except Forbidden:
        return
    for plan in plans:
        yield from _room(plan, nodes)


def _room(plan: Plan, nodes: Sequence[Object]) -> Iterator[Finding]:
    told = set()
    for step in plan.steps:
        message = _why_not(step, nodes, plan.profile.pools.gpu.resource_name)
        if message is None or message in told:
            continue
        told.add(message)
        hint = "it waits until such a node comes; ask for less, or see pools in the profile"
        yield Finding("warning", f"step {step.name}", message, hint)
    if not told:
        yield Finding("ok", "nodes", f"some node could hold each step of {plan.training_id}")


def _why_not(step: PlannedStep, nodes: Sequence[Object], gpu_resource: str) -> str | None:
    open_to_it = [node for node in nodes if _is_open(node, step)]
    pool = ", ".join(f"{name}={value}" for name, value in step.placement.node_selector.items()) or "any"
    if not open_to_it:
        return f"no node of the {step.placement.pool} pool ({pool}) takes its pods; the cluster has {len(nodes)} nodes"
    wanted = _wanted(step, gpu_resource)
    if any(all(_allocatable(node, name) >= amount for name, amount in wanted.items()) for node in open_to_it):
        return None
    for name, amount in wanted.items():
        largest = max(_allocatable(node, name) for node in open_to_it)
        if largest < amount:
            what = f"GPUs ({name})" if name == gpu_resource else name
            return f"it asks for {_shown(name, amount)} {what}; the largest node has {_shown(name, largest)}"
    return "no single node has at once the cpu, memory and GPUs that it asks for"


def _wanted(step: PlannedStep, gpu_resource: str) -> dict[str, Decimal]:
    """What the scheduler will look for: requests, or limits where there is no request."""
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


def _is_open(node: Object, step: PlannedStep) -> bool:
    spec = node.get("spec") or {}
    labels = node["metadata"].get("labels") or {}
    is_selected = all(labels.get(name) == value for name, value in step.placement.node_selector.items())
    taints = [taint for taint in spec.get("taints") or [] if _lasts(taint)]
    tolerated = all(any(_tolerates(toleration, taint) for toleration in step.placement.tolerations) for taint in taints)
    return is_selected and tolerated and not spec.get("unschedulable")


def _lasts(taint: Mapping[str, Any]) -> bool:
    """Whether it keeps pods out for good; a node that is not ready, or under pressure, may be well tomorrow."""
    return taint.get("effect") in KEEPS_OUT and not str(taint.get("key", "")).startswith(CONDITIONS)


def _tolerates(toleration: Mapping[str, Any], taint: Mapping[str, Any]) -> bool:
    """https://kubernetes.io/docs/concepts/scheduling-eviction/taint-and-toleration/"""
    if toleration.get("effect") not in (None, taint.get("effect")):
        return False
    if toleration.get("operator") == "Exists":
        return toleration.get("key") in (None, taint.get("key"))
    return toleration.get("key") == taint.get("key") and (toleration.get("value") or "") == (taint.get("value") or "")


def _shown(name: str, amount: Decimal) -> str:
    return f"{amount / 2**30:.1f}Gi" if name == "memory" else f"{amount.normalize():f}"
