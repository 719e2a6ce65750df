"""Workflow for a further attempt of a training on the workspace of an earlier attempt.

Argo's own retry of a finished workflow is a function of its server and command line, not of its controller. With only the
Kubernetes API, a retry is a new Workflow derived from the earlier one.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from odahu_argo import naming
from odahu_argo.compile.emit import escape_json
from odahu_argo.errors import UserError

Object = dict[str, Any]

_WORKSPACE_FIELDS = ("volumeClaimTemplates", "volumeClaimGC", "shutdown")
_ARGO_ANNOTATIONS = ("workflows.argoproj.io/title", "workflows.argoproj.io/description")


def retry_workflow(
    earlier: Object, training_id: str, attempt: int, finished: frozenset[str], results: Mapping[str, str]
) -> Object:
    """Return the Workflow of attempt `attempt`: the earlier one without its finished steps, on the same volume claim.

    `results` are the results of the finished steps; an annotation keeps them for the status. The workflow does not own the
    claim, so Argo does not delete it.

    Raises:
        UserError: the earlier workflow was not compiled by odahu-argo, or all its steps have finished.
    """
    spec, metadata = _complete_spec(earlier), earlier["metadata"]
    templates = {template["name"]: template for template in spec.get("templates", [])}
    if naming.ENTRYPOINT not in templates or naming.DIGEST_ANNOTATION not in metadata.get("annotations", {}):
        raise UserError(f"cannot retry workflow {metadata['name']!r}: it was not compiled by odahu-argo")
    tasks = _remaining_tasks(templates[naming.ENTRYPOINT]["dag"]["tasks"], finished)
    if not tasks:
        raise UserError(f"cannot retry workflow {metadata['name']!r}: all its steps have succeeded")
    omitted = finished | {f"attempt-{step}" for step in finished} | {naming.ENTRYPOINT}
    workspace = {"name": naming.WORKSPACE_CLAIM, "persistentVolumeClaim": {"claimName": workspace_claim(earlier)}}
    results_json = escape_json(json.dumps(dict(results), separators=(",", ":")))
    return {
        "apiVersion": earlier["apiVersion"],
        "kind": earlier["kind"],
        "metadata": {
            "name": naming.workflow_name(training_id, attempt),
            **({"namespace": metadata["namespace"]} if "namespace" in metadata else {}),
            "labels": {**_compiled_entries(metadata["labels"]), naming.ATTEMPT_LABEL: str(attempt)},
            "annotations": {**_compiled_entries(metadata["annotations"]), naming.RESULTS_ANNOTATION: results_json},
        },
        "spec": {
            **{name: value for name, value in spec.items() if name not in _WORKSPACE_FIELDS},
            "volumes": [workspace],
            "templates": [
                {"name": naming.ENTRYPOINT, "dag": {"tasks": tasks}},
                *(template for name, template in templates.items() if name not in omitted),
            ],
        },
    }


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


def _complete_spec(workflow: Object) -> Object:
    """Return the workflow's own specification, or the merged one that Argo stored if it refers to a WorkflowTemplate."""
    spec: Object = workflow["spec"]
    if "workflowTemplateRef" not in spec:
        return spec
    stored: Object = (workflow.get("status") or {}).get("storedWorkflowTemplateSpec") or {}
    return {name: value for name, value in stored.items() if name not in ("workflowTemplateRef", "workflowMetadata")}


def _remaining_tasks(tasks: list[Object], finished: frozenset[str]) -> list[Object]:
    """Return the unfinished tasks without their dependencies on finished ones."""
    remaining = []
    for task in tasks:
        if task["name"] not in finished:
            dependencies = [name for name in task.get("dependencies", []) if name not in finished]
            fields = {name: value for name, value in task.items() if name != "dependencies"}
            remaining.append({**fields, "dependencies": dependencies} if dependencies else fields)
    return remaining


def _compiled_entries(entries: Mapping[str, str]) -> dict[str, str]:
    """Return the labels or annotations from compilation, without those of Argo's controller and of the submission."""
    prefixes = (naming.LABEL_PREFIX, naming.MANAGED_BY_LABEL, *_ARGO_ANNOTATIONS)
    return {name: value for name, value in entries.items() if name.startswith(prefixes)}
