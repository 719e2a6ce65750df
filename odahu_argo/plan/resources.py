"""How much of a node a training gets: its own wishes, the profile's defaults where it has none, GPUs and their pool."""

from __future__ import annotations

from odahu_argo import quantity
from odahu_argo.plan.model import Amounts, Placement
from odahu_argo.profile import Pool, Pools, Requirements


def gpus(wanted: Requirements) -> int:
    """The GPUs that a training asks for, by limits or requests; Kubernetes wants both to be equal, so one is enough."""
    return quantity.whole_number(wanted.limits.gpu or wanted.requests.gpu or "0")


def amounts(wanted: Requirements, default: Requirements) -> tuple[Amounts, Amounts]:
    """Limits and requests: what is wanted, else the default; a default never contradicts what was wanted.

    Where only a request is given that is above the default limit, it becomes the limit too; where only a limit is given that
    is below the default request, it becomes the request too.
    """
    cpu_limit, cpu_request = _pair(wanted.limits.cpu, wanted.requests.cpu, default.limits.cpu, default.requests.cpu)
    memory_limit, memory_request = _pair(
        wanted.limits.memory, wanted.requests.memory, default.limits.memory, default.requests.memory
    )
    limits = Amounts(cpu_limit, memory_limit, gpus(wanted))
    return limits, Amounts(cpu_request, memory_request)


def placement(pools: Pools, gpu: bool) -> Placement:
    """The pool's selector and tolerations as they stand in the profile."""
    pool: Pool = pools.gpu if gpu else pools.cpu
    tolerations = tuple(
        {name: value for name, value in toleration if value is not None} for toleration in pool.tolerations
    )
    return Placement("gpu" if gpu else "cpu", pool.node_selector, tolerations)


def _pair(
    limit: str | None, request: str | None, usual_limit: str | None, usual_request: str | None
) -> tuple[str, str]:
    if limit is None:
        limit = _larger(usual_limit, request)
    if request is None:
        request = _smaller(usual_request, limit)
    return limit, request


def _larger(usual: str | None, given: str | None) -> str:
    known = [value for value in (usual, given) if value]
    return max(known, key=quantity.amount) if known else ""


def _smaller(usual: str | None, limit: str) -> str:
    known = [value for value in (usual, limit) if value]
    return min(known, key=quantity.amount) if known else ""
