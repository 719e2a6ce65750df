"""odahu-argo: ODAHU-flow's ModelTraining manifests on Argo Workflows.

    manifests = load([Path("training.yaml"), Path("connections.yaml")])
    [plan] = build_plans(resolve(manifests, profile), profile)
    workflow = compile_workflow(plan)

    run = create(connect(namespace="ml"), plan)
    for event in follow(connect(namespace="ml"), plan.training_id): ...

Each function accepts the result of the previous one. The functions up to `compile_workflow` do not access the network.
`read_status` returns the status of a training from any Workflow object. Names are imported on first use.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"
__all__ = [
    "Profile",
    "build_plans",
    "compile_workflow",
    "connect",
    "create",
    "explain",
    "follow",
    "load",
    "read_status",
    "resolve",
]

if TYPE_CHECKING:
    from odahu_argo.compile.workflow import compile_workflow
    from odahu_argo.kube.client import connect
    from odahu_argo.manifest.load import load
    from odahu_argo.manifest.resolve import resolve
    from odahu_argo.plan.build import build_plans
    from odahu_argo.plan.explain import explain
    from odahu_argo.profile import Profile
    from odahu_argo.status.state import read_status
    from odahu_argo.trainings.actions import create
    from odahu_argo.trainings.follow import follow

_MODULES = {
    "Profile": "odahu_argo.profile",
    "build_plans": "odahu_argo.plan.build",
    "compile_workflow": "odahu_argo.compile.workflow",
    "connect": "odahu_argo.kube.client",
    "create": "odahu_argo.trainings.actions",
    "explain": "odahu_argo.plan.explain",
    "follow": "odahu_argo.trainings.follow",
    "load": "odahu_argo.manifest.load",
    "read_status": "odahu_argo.status.state",
    "resolve": "odahu_argo.manifest.resolve",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_MODULES[name]), name)
