"""odahu-argo: ODAHU-flow's ModelTraining manifests on Argo Workflows.

    manifests = load([Path("training.yaml"), Path("connections.yaml")])
    [plan] = build_plans(resolve(manifests, profile), profile)
    workflow = compile_workflow(plan)

Each function takes what the one before it returns; none touches a network or a cluster. Imported when first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"
__all__ = ["Profile", "build_plans", "compile_workflow", "explain", "load", "resolve"]

if TYPE_CHECKING:
    from odahu_argo.compile.workflow import compile_workflow
    from odahu_argo.manifest.load import load
    from odahu_argo.manifest.resolve import resolve
    from odahu_argo.plan.build import build_plans
    from odahu_argo.plan.explain import explain
    from odahu_argo.profile import Profile

_HOMES = {
    "Profile": "odahu_argo.profile",
    "build_plans": "odahu_argo.plan.build",
    "compile_workflow": "odahu_argo.compile.workflow",
    "explain": "odahu_argo.plan.explain",
    "load": "odahu_argo.manifest.load",
    "resolve": "odahu_argo.manifest.resolve",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
