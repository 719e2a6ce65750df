"""A further attempt of a training that goes on in the workspace of the one before.

Argo's own retry of a finished workflow is done by its server and command line, not by its controller. With the Kubernetes
API alone it is a new Workflow, made from the earlier one.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from odahu_argo import naming
from odahu_argo.compile.emit import inert_json
from odahu_argo.errors import UserError

Object = dict[str, Any]


def resumed_workflow(
    earlier: Object, training_id: str, attempt: int, finished: frozenset[str], results: Mapping[str, str]
) -> Object:
    """The Workflow of attempt `attempt`: the earlier one without the steps that have finished, on the same claim.

    `results` are what the finished steps have left; they stand in an annotation, from where a status takes them. The claim
    is not this workflow's own, so Argo does not remove it.

    Raises:
        UserError: the earlier workflow was not compiled by odahu-argo, or none of its steps is left.
    """
    spec, metadata = _whole_spec(earlier), earlier["metadata"]
    templates = {template["name"]: template for template in spec.get("templates", [])}
    if naming.ENTRYPOINT not in templates or naming.DIGEST_ANNOTATION not in metadata.get("annotations", {}):
        raise UserError(f"workflow {metadata['name']!r} cannot be resumed: it was not compiled by odahu-argo")
    tasks = _remaining(templates[naming.ENTRYPOINT]["dag"]["tasks"], finished)
    if not tasks:
        raise UserError(f"workflow {metadata['name']!r} cannot be resumed: all its steps have succeeded")
    gone = finished | {f"attempt-{step}" for step in finished} | {naming.ENTRYPOINT}
    kept = [template for name, template in templates.items() if name not in gone]
    own = {
        name: part for name, part in spec.items() if name not in ("volumeClaimTemplates", "volumeClaimGC", "shutdown")
    }
    workspace = {"name": naming.WORKSPACE_CLAIM, "persistentVolumeClaim": {"claimName": claim_of(earlier)}}
    copied = {name: metadata[name] for name in ("namespace",) if name in metadata}
    return {
        "apiVersion": earlier["apiVersion"],
        "kind": earlier["kind"],
        "metadata": {
            "name": naming.workflow_name(training_id, attempt),
            **copied,
            "labels": {**_ours(metadata["labels"]), naming.ATTEMPT_LABEL: str(attempt)},
            "annotations": {**_ours(metadata["annotations"]), naming.RESULTS_ANNOTATION: _inert(results)},
        },
        "spec": {
            **own,
            "volumes": [workspace],
            "templates": [{"name": naming.ENTRYPOINT, "dag": {"tasks": tasks}}, *kept],
        },
    }


def _whole_spec(workflow: Object) -> Object:
    """The spec that a workflow runs: its own, or what Argo has stored of that and the WorkflowTemplate it refers to."""
    spec: Object = workflow["spec"]
    if "workflowTemplateRef" not in spec:
        return spec
    stored: Object = (workflow.get("status") or {}).get("storedWorkflowTemplateSpec") or {}
    return {name: part for name, part in stored.items() if name not in ("workflowTemplateRef", "workflowMetadata")}


def claim_of(workflow: Object) -> str:
    """The claim that a workflow's steps work in: its own, which Argo names after it, or that of an earlier attempt."""
    for volume in workflow["spec"].get("volumes", []):
        if volume.get("name") == naming.WORKSPACE_CLAIM:
            return str(volume["persistentVolumeClaim"]["claimName"])
    return workspace_claim(str(workflow["metadata"]["name"]))


def workspace_claim(workflow_name: str) -> str:
    """The claim that Argo makes for a workflow (https://argo-workflows.readthedocs.io/en/latest/walk-through/volumes/)."""
    return f"{workflow_name}-{naming.WORKSPACE_CLAIM}"


def _remaining(tasks: list[Object], finished: frozenset[str]) -> list[Object]:
    remaining = []
    for task in tasks:
        if task["name"] in finished:
            continue
        needs = [name for name in task.get("dependencies", []) if name not in finished]
        bare = {name: part for name, part in task.items() if name != "dependencies"}
        remaining.append({**bare, "dependencies": needs} if needs else bare)
    return remaining


def _ours(entries: Mapping[str, str]) -> dict[str, str]:
    """Without what Argo's controller has written, nor what told one submission from another."""
    titles = ("workflows.argoproj.io/title", "workflows.argoproj.io/description")
    kept = (naming.LABEL_PREFIX, naming.MANAGED_BY_LABEL, *titles)
    return {name: value for name, value in entries.items() if name.startswith(kept)}


def _inert(results: Mapping[str, str]) -> str:
    return inert_json(json.dumps(dict(results), separators=(",", ":")))
