"""Compilation of a plan to an Argo Workflow as plain data. Pure: no clock, randomness or environment."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from odahu_argo import naming, quantity
from odahu_argo.compile.emit import escape_json
from odahu_argo.compile.steps import CONTAINER_SECURITY, template
from odahu_argo.errors import UserError
from odahu_argo.plan.model import Plan

Object = dict[str, Any]

API_VERSION = "argoproj.io/v1alpha1"
MAX_WORKFLOW_BYTES = 2**20
"""Limit of Argo's controller."""
MAX_ANNOTATION_BYTES = 2**18
"""Limit of Kubernetes on all keys and values together (`TotalAnnotationSizeLimitB` in apimachinery)."""


def compile_workflow(plan: Plan, attempt: int = 1) -> Object:
    """Return the Workflow for an attempt of a training. Equal plans give equal objects with the same order of keys.

    Raises:
        UserError: the workflow exceeds the size limits of Argo or Kubernetes.
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


def digest(plan: Plan) -> str:
    """Return 32 hexadecimal digits that are equal for plans with equal workflows, regardless of the attempt."""
    return _digest(plan, workflow_spec(plan))


def _digest(plan: Plan, spec: Object) -> str:
    return hashlib.sha256(_compact_json({"labels": labels(plan), "spec": spec}).encode()).hexdigest()[:32]


def metadata(plan: Plan, name: str) -> Object:
    """Return metadata with the name, and the namespace if the profile sets one."""
    return {"name": name, "namespace": plan.profile.namespace} if plan.profile.namespace else {"name": name}


def labels(plan: Plan) -> dict[str, str]:
    """Return the labels that select a training's workflows and pods."""
    return {
        naming.MANAGED_BY_LABEL: naming.MANAGED_BY,
        naming.TRAINING_ID_LABEL: plan.training_id,
        naming.MODEL_NAME_LABEL: plan.model_name,
        naming.MODEL_VERSION_LABEL: plan.model_version,
        naming.TOOLCHAIN_LABEL: plan.toolchain,
    }


def workflow_annotations(plan: Plan, spec: Object) -> dict[str, str]:
    """Return title and description for Argo's UI, the digest of the plan with this spec, and the training's spec.

    Title and description contain only IDs and label values, which cannot be Markdown or Argo templates.
    """
    gpus = plan.step("train").limits.gpus
    device = f"on {gpus} GPU{'s' if gpus > 1 else ''}" if gpus else "on CPU"
    return {
        "workflows.argoproj.io/title": f"Train {plan.model_name} {plan.model_version}",
        "workflows.argoproj.io/description": (
            f"ModelTraining {plan.training_id} with toolchain {plan.toolchain}, {device}"
        ),
        naming.DIGEST_ANNOTATION: _digest(plan, spec),
        **({naming.DEFAULTS_ANNOTATION: ",".join(plan.defaults)} if plan.defaults else {}),
        naming.SPEC_ANNOTATION: escape_json(_compact_json(plan.spec)),
    }


def workflow_spec(plan: Plan) -> Object:
    """Return the specification of a training's workflow."""
    profile = plan.profile
    spec: Object = {
        "entrypoint": naming.ENTRYPOINT,
        "serviceAccountName": profile.service_account,
    }
    if profile.image_pull_secrets:
        spec["imagePullSecrets"] = [{"name": name} for name in profile.image_pull_secrets]
    return {
        **spec,
        "parallelism": profile.parallelism,
        "activeDeadlineSeconds": quantity.seconds(profile.timeouts.workflow),
        "ttlStrategy": {"secondsAfterCompletion": quantity.seconds(profile.keep.workflow)},
        "podGC": {
            "strategy": "OnWorkflowCompletion",
            "deleteDelayDuration": f"{quantity.seconds(profile.keep.pods)}s",
        },
        "archiveLogs": profile.archive_logs,
        "synchronization": {"mutexes": [{"name": naming.mutex_name(plan.training_id)}]},
        "podMetadata": {
            "labels": labels(plan),
            "annotations": {
                "cluster-autoscaler.kubernetes.io/safe-to-evict": "false",
                "workflows.argoproj.io/progress": "0/100",
            },
        },
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": profile.user_id,
            "runAsGroup": profile.user_id,
            "fsGroup": profile.user_id,
            "fsGroupChangePolicy": "OnRootMismatch",
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "podSpecPatch": _pod_spec_patch(plan),
        "volumeClaimTemplates": [_workspace_claim(plan)],
        "volumeClaimGC": {"strategy": "OnWorkflowSuccess"},
        "templates": [_dag(plan), *(template(step, plan) for step in plan.steps)],
    }


def _pod_spec_patch(plan: Plan) -> str:
    """Return a patch with the grace period, for which Argo's templates have no field.

    It also restricts Argo's own containers, as the Pod Security Standard `restricted` requires.
    """
    patch: Object = {"terminationGracePeriodSeconds": quantity.seconds(plan.profile.grace_period)}
    if plan.profile.restrict_executor:
        patch["initContainers"] = [{"name": "init", "securityContext": CONTAINER_SECURITY}]
        patch["containers"] = [{"name": "wait", "securityContext": CONTAINER_SECURITY}]
    return _compact_json(patch)


def _workspace_claim(plan: Plan) -> Object:
    workspace = plan.profile.workspace
    claim: Object = {"accessModes": [workspace.access_mode]}
    if workspace.storage_class:
        claim["storageClassName"] = workspace.storage_class
    claim["resources"] = {"requests": {"storage": workspace.size}}
    return {"metadata": {"name": naming.WORKSPACE_CLAIM}, "spec": claim}


def _dag(plan: Plan) -> Object:
    tasks = []
    for step in plan.steps:
        task: Object = {"name": step.name, "template": step.name}
        if step.needs:
            task["dependencies"] = list(step.needs)
        tasks.append(task)
    dag: Object = {"tasks": tasks} if plan.profile.fail_fast else {"failFast": False, "tasks": tasks}
    return {"name": naming.ENTRYPOINT, "dag": dag}


def require_size(plan: Plan, workflow: Object) -> Object:
    """Return the object unchanged.

    Raises:
        UserError: the object exceeds Argo's size limit, or its annotations exceed that of Kubernetes.
    """
    template_annotations = workflow["spec"].get("workflowMetadata", {}).get("annotations", {})
    annotations = {**workflow["metadata"].get("annotations", {}), **template_annotations}
    annotation_bytes = sum(len(text.encode()) for pair in annotations.items() for text in pair)
    if annotation_bytes > MAX_ANNOTATION_BYTES:
        message = f"the spec of {plan.training_id} requires {annotation_bytes} bytes of annotations"
        hint = "move large values to a data connection"
        raise UserError(f"{message}; the limit of Kubernetes is {MAX_ANNOTATION_BYTES}", hint)
    size = len(_compact_json(workflow).encode())
    if size > MAX_WORKFLOW_BYTES:
        message = f"the workflow of {plan.training_id} has {size} bytes; Argo's limit is {MAX_WORKFLOW_BYTES}"
        raise UserError(message, "download a whole prefix with one data connection instead of single objects")
    return workflow


def _compact_json(value: Mapping[str, Any]) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
