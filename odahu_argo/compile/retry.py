"""Workflow for a further attempt of a training on the workspace of an earlier attempt.

Argo's own retry of a finished workflow is a function of its server and command line, and keeps the old specification. A
retry is therefore a new Workflow, compiled with the current settings, without the steps that have finished.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from typing import Any

from odahu_argo import contract, naming
from odahu_argo.compile.differences import Difference, compare_fields, template_fields
from odahu_argo.compile.emit import escape_json
from odahu_argo.compile.workflow import compile_workflow
from odahu_argo.contract import SPECS, StepSpec
from odahu_argo.errors import UserError
from odahu_argo.plan.model import Plan

Object = dict[str, Any]

_NOT_COMPARED = ("volumes", "volumeClaimTemplates", "volumeClaimGC", "shutdown", "suspend", "templates", "ttlStrategy")
"""Fields that differ between every attempt and its retry, or that do not concern how it runs."""


def retry_workflow(
    plan: Plan, attempt: int, claim: str, finished: Collection[str], results: Mapping[str, str]
) -> Object:
    """Return the Workflow of attempt `attempt` without its finished steps, on the volume claim of an earlier attempt.

    `results` are the results of the finished steps; an annotation keeps them for the status. The workflow does not own the
    claim, so Argo does not delete it.

    Raises:
        UserError: all steps have finished, or the workflow exceeds the size limits of Argo or Kubernetes.
    """
    workflow = compile_workflow(plan, attempt)
    spec = workflow["spec"]
    dag, *templates = spec["templates"]
    tasks = _remaining_tasks(dag["dag"]["tasks"], finished)
    if not tasks:
        raise UserError(f"cannot retry training {plan.training_id!r}: all its steps have succeeded")
    results_json = escape_json(json.dumps(dict(results), separators=(",", ":")))
    workflow["metadata"]["annotations"][naming.RESULTS_ANNOTATION] = results_json
    workflow["spec"] = {
        **{name: value for name, value in spec.items() if name not in ("volumeClaimTemplates", "volumeClaimGC")},
        "volumes": [{"name": naming.WORKSPACE_CLAIM, "persistentVolumeClaim": {"claimName": claim}}],
        "templates": [
            {**dag, "dag": {**dag["dag"], "tasks": tasks}},
            *(template for template in templates if _step_of(template) not in finished),
        ],
    }
    return workflow


def earlier_specs(workflow: Object) -> dict[str, StepSpec]:
    """Return the specifications of the steps in a compiled Workflow, by step. Unreadable ones are omitted."""
    specs = {}
    for template in _complete_spec(workflow).get("templates") or ():
        step = _step_of(template)
        containers = [*(template.get("initContainers") or ()), template.get("container") or {}]
        variables = {item.get("name"): item.get("value") for each in containers for item in each.get("env") or ()}
        try:
            text = variables[contract.STEP_VARIABLE]
            specs[step] = contract.spec_from_json(_kind(step, text), text)
        except (KeyError, ValueError, TypeError):
            continue
    return specs


def earlier_image(workflow: Object, step: str) -> str:
    """Return the image of a step's container in a compiled Workflow; empty if there is none."""
    for template in _complete_spec(workflow).get("templates") or ():
        if _step_of(template) == step and template.get("container"):
            return str(template["container"].get("image", ""))
    return ""


def changes(earlier: Object, retry: Object) -> list[Difference]:
    """Return what the retry does differently from the earlier attempt, in the steps that both contain."""
    spec = _complete_spec(earlier)
    common = {_step_of(item) for item in spec.get("templates") or ()} - {naming.ENTRYPOINT}
    common &= {_step_of(item) for item in retry["spec"]["templates"]}
    return compare_fields(*(_common_fields(each, common) for each in (spec, retry["spec"])))


def workspace_claim(workflow: Object) -> str:
    """Return the volume claim of a workflow: that of an earlier attempt if it mounts one, else its own."""
    for volume in workflow["spec"].get("volumes", []):
        if volume.get("name") == naming.WORKSPACE_CLAIM:
            return str(volume["persistentVolumeClaim"]["claimName"])
    return own_workspace_claim(str(workflow["metadata"]["name"]))


def own_workspace_claim(workflow_name: str) -> str:
    """Return the name of the claim that Argo creates for a workflow.

    Source: https://argo-workflows.readthedocs.io/en/latest/walk-through/volumes/
    """
    return f"{workflow_name}-{naming.WORKSPACE_CLAIM}"


def _common_fields(spec: Object, steps: Collection[str]) -> dict[tuple[str, str], str]:
    templates = [template for template in spec.get("templates") or () if _step_of(template) in steps]
    compared = {name: value for name, value in spec.items() if name not in _NOT_COMPARED}
    return dict(template_fields({"spec": {**compared, "templates": templates}}))


def _complete_spec(workflow: Object) -> Object:
    """Return the workflow's own specification, or the merged one that Argo stored if it refers to a WorkflowTemplate."""
    spec: Object = workflow.get("spec") or {}
    if "workflowTemplateRef" not in spec:
        return spec
    stored: Object = (workflow.get("status") or {}).get("storedWorkflowTemplateSpec") or {}
    return {name: value for name, value in stored.items() if name not in ("workflowTemplateRef", "workflowMetadata")}


def _step_of(template: Object) -> str:
    return str(template.get("name", ""))


def _kind(step: str, text: str) -> str:
    """Return the kind of a step. A checkout from an object store is a download."""
    kind = next((kind for kind in SPECS if step == kind or step.startswith(f"{kind}-")), "")
    return "download" if kind == "checkout" and '"is_code":true' in text else kind


def _remaining_tasks(tasks: list[Object], finished: Collection[str]) -> list[Object]:
    """Return the unfinished tasks without their dependencies on finished ones."""
    remaining = []
    for task in tasks:
        if task["name"] not in finished:
            dependencies = [name for name in task.get("dependencies", []) if name not in finished]
            fields = {name: value for name, value in task.items() if name != "dependencies"}
            remaining.append({**fields, "dependencies": dependencies} if dependencies else fields)
    return remaining
