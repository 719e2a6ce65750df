"""Resources and placement of steps: requirements of the training combined with defaults and node pools of the profile."""

from __future__ import annotations

from odahu_argo import quantity
from odahu_argo.plan.model import Amounts, Placement
from odahu_argo.profile import Pool, Pools, ResourceRequirements


def gpu_count(requirements: ResourceRequirements) -> int:
    """Return the number of GPUs in limits or requests. Kubernetes requires both to be equal, so either is sufficient."""
    return quantity.whole_number(requirements.limits.gpu or requirements.requests.gpu or "0")


def amounts(requirements: ResourceRequirements, default: ResourceRequirements) -> tuple[Amounts, Amounts]:
    """Return limits and requests: the given values, else defaults that never contradict a given value.

    If only a request is given and exceeds the default limit, it also becomes the limit; if only a limit is given and is less
    than the default request, it also becomes the request.
    """
    limits, requests = requirements.limits, requirements.requests
    cpu_limit, cpu_request = _pair(limits.cpu, requests.cpu, default.limits.cpu, default.requests.cpu)
    memory_limit, memory_request = _pair(limits.memory, requests.memory, default.limits.memory, default.requests.memory)
    return Amounts(cpu_limit, memory_limit, gpu_count(requirements)), Amounts(cpu_request, memory_request)


def _pair(
    limit: str | None, request: str | None, default_limit: str | None, default_request: str | None
) -> tuple[str, str]:
    if limit is None:
        limit = max(filter(None, (default_limit, request)), key=quantity.amount, default="")
    if request is None:
        request = min(filter(None, (default_request, limit)), key=quantity.amount, default="")
    return limit, request


def placement(pools: Pools, gpu: bool) -> Placement:
    """Return the selector and tolerations of the GPU or CPU pool."""
    pool: Pool = pools.gpu if gpu else pools.cpu
    tolerations = tuple(
        {name: value for name, value in toleration if value is not None} for toleration in pool.tolerations
    )
    return Placement("gpu" if gpu else "cpu", pool.node_selector, tolerations)
