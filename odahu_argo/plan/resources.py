"""Resources and placement of steps: requirements of the training combined with defaults and node pools of the profile."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from odahu_argo import quantity
from odahu_argo.plan.model import Amounts, Placement
from odahu_argo.pools import GpuPool, Pool, Pools
from odahu_argo.profile import ResourceRequirements


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


def select_pools(pools: Pools, gpu: bool, selector: Mapping[str, str]) -> Sequence[Pool]:
    """Return the pools that a step may run on: the one with this node selector or, without a selector, all of its kind.

    All GPU pools must count their GPUs under one name, that of the first pool; others need a node selector. The same applies
    to the pools' queues and priorities. The result is empty if no pool has the selector.
    """
    candidates: Sequence[Pool] = pools.gpu if gpu else pools.cpu
    if selector:
        return [pool for pool in candidates if pool.node_selector == selector][:1]
    return [pool for pool in candidates if _common_settings(pool) == _common_settings(candidates[0])]


def _common_settings(pool: Pool) -> tuple[str, str | None, str | None]:
    return gpu_resource(pool), pool.queue, pool.priority


def gpu_resource(pool: Pool) -> str:
    """Return the name under which Kubernetes counts the GPUs of a pool. Empty for a CPU pool."""
    return pool.resource_name if isinstance(pool, GpuPool) else ""


def placement(pools: Sequence[Pool]) -> Placement:
    """Return the placement of a step that may run on any of these pools."""
    tolerations = {
        tuple((name, value) for name, value in toleration if value is not None): None
        for pool in pools
        for toleration in pool.tolerations
    }
    selectors = [pool.node_selector for pool in pools]
    is_any_node = {} in selectors
    return Placement(
        pool="gpu" if isinstance(pools[0], GpuPool) else "cpu",
        node_selector=selectors[0] if len(selectors) == 1 else {},
        tolerations=tuple(dict(toleration) for toleration in tolerations),
        any_of=() if is_any_node or len(selectors) == 1 else tuple(selectors),
        names=tuple(pool.name for pool in pools if pool.name),
        gpu_resource=gpu_resource(pools[0]),
    )
