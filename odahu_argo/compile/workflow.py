"""A plan to the Argo Workflow that carries it out, as plain data. Pure: no clock, no random, no environment."""

from __future__ import annotations

from odahu_argo import naming
from odahu_argo.compile.spec import (
    API_VERSION,
    Object,
    labels,
    metadata,
    require_size,
    workflow_annotations,
    workflow_spec,
)
from odahu_argo.plan.model import Plan


def compile_workflow(plan: Plan, attempt: int = 1) -> Object:
    """The Workflow of a training's n-th attempt. Equal plans give equal objects, in the same order of keys.

    Raises:
        UserError: it would be larger than Argo takes.
    """
    spec = workflow_spec(plan)
    workflow = {
        "apiVersion": API_VERSION,
        "kind": "Workflow",
        "metadata": {
            **metadata(plan, naming.workflow_name(plan.training_id, attempt)),
            "labels": {**labels(plan), naming.ATTEMPT_LABEL: str(attempt)},
            "annotations": workflow_annotations(plan, spec),
        },
        "spec": spec,
    }
    return require_size(plan, workflow)
