"""A plan to the Argo Workflow that carries it out, as plain data. Pure: no clock, no random, no environment."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from odahu_argo import naming, quantity
from odahu_argo.compile.emit import inert_json
from odahu_argo.compile.steps import CONTAINER_SECURITY, templates
from odahu_argo.errors import UserError
from odahu_argo.plan.model import Plan

Object = dict[str, Any]

API_VERSION = "argoproj.io/v1alpha1"
LARGEST_WORKFLOW = 2**20
"""Bytes, a limit of Argo's controller."""
LARGEST_ANNOTATIONS = 2**18
"""Bytes of keys and values together, a limit of Kubernetes (`TotalAnnotationSizeLimitB` of its apimachinery)."""


def metadata(plan: Plan, name: str) -> Object:
    """The beginning of an object's metadata: its name, and its namespace where the profile has one."""
    return {"name": name, "namespace": plan.profile.namespace} if plan.profile.namespace else {"name": name}


def require_size(plan: Plan, workflow: Object) -> Object:
    """The same object.

    Raises:
        UserError: it is larger than Argo takes, or its annotations larger than Kubernetes does.
    """
    of_template = workflow["spec"].get("workflowMetadata", {}).get("annotations", {})
    annotations = {**workflow["metadata"].get("annotations", {}), **of_template}
    noted = sum(len(text.encode()) for pair in annotations.items() for text in pair)
    if noted > LARGEST_ANNOTATIONS:
        message = f"the spec of {plan.training_id} takes {noted} bytes as an annotation"
        raise UserError(f"{message}; Kubernetes takes {LARGEST_ANNOTATIONS}", "keep large values in a data connection")
    size = len(_json(workflow).encode())
    if size > LARGEST_WORKFLOW:
        message = f"the workflow of {plan.training_id} would have {size} bytes; Argo takes {LARGEST_WORKFLOW}"
        raise UserError(message, "let one data connection fetch a whole folder instead of naming each object")
    return workflow


def digest(plan: Plan) -> str:
    """32 hexadecimal digits that are equal for plans that do the same, whichever attempt they are compiled for."""
    return digest_of(plan, workflow_spec(plan))


def digest_of(plan: Plan, spec: Object) -> str:
    """The digest of a plan whose workflow has this spec, as `workflow_spec` makes it."""
    return hashlib.sha256(_json({"labels": labels(plan), "spec": spec}).encode()).hexdigest()[:32]


def labels(plan: Plan) -> dict[str, str]:
    """What a workflow and its pods can be found by."""
    return {
        naming.MANAGED_BY_LABEL: naming.MANAGED_BY,
        naming.TRAINING_ID_LABEL: plan.training_id,
        naming.MODEL_NAME_LABEL: plan.model_name,
        naming.MODEL_VERSION_LABEL: plan.model_version,
        naming.TOOLCHAIN_LABEL: plan.toolchain,
    }


def workflow_annotations(plan: Plan, spec: Object) -> dict[str, str]:
    """What Argo's UI shows, the digest of a plan with this spec, and the training as its author wrote it.

    Title and description in Argo's UI hold only ids and label values, which cannot be Markdown or templates.
    """
    gpus = plan.step("train").limits.gpus
    where = f"on {gpus} GPU{'s' if gpus > 1 else ''}" if gpus else "on CPU"
    return {
        "workflows.argoproj.io/title": f"Train {plan.model_name} {plan.model_version}",
        "workflows.argoproj.io/description": (
            f"ModelTraining {plan.training_id} with toolchain {plan.toolchain}, {where}"
        ),
        naming.DIGEST_ANNOTATION: digest_of(plan, spec),
        naming.SPEC_ANNOTATION: inert_json(_json(plan.spec)),
    }


def _json(value: Mapping[str, Any]) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def workflow_spec(plan: Plan) -> Object:
    """All of a workflow but its metadata."""
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
        **_executor_security(plan),
        "volumeClaimTemplates": [_workspace_claim(plan)],
        "volumeClaimGC": {"strategy": "OnWorkflowSuccess"},
        "templates": [_dag(plan), *(template for step in plan.steps for template in templates(step, plan))],
    }


def _executor_security(plan: Plan) -> Object:
    """Argo gives its own two containers no security context; a namespace that enforces `restricted` refuses such pods."""
    if not plan.profile.restrict_executor:
        return {}
    patch = {
        "initContainers": [{"name": "init", "securityContext": CONTAINER_SECURITY}],
        "containers": [{"name": "wait", "securityContext": CONTAINER_SECURITY}],
    }
    return {"podSpecPatch": json.dumps(patch, separators=(",", ":"))}


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
    return {"name": naming.ENTRYPOINT, "dag": {"tasks": tasks}}


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
