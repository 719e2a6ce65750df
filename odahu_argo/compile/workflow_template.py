"""Compilation of plans to objects for GitOps: a WorkflowTemplate, a Workflow that refers to it, and a CronWorkflow.

Argo's restrictions `Strict` and `Secure` limit the fields of a workflow that refers to a template
(https://argo-workflows.readthedocs.io/en/latest/workflow-restrictions/), so the template contains all of them. Argo copies
the template's `workflowMetadata` to each workflow that runs it, so a run's digest is the digest of the template it ran.
"""

from __future__ import annotations

import json

from odahu_argo import contract, naming
from odahu_argo.compile.emit import escape_json
from odahu_argo.compile.steps import MAX_SPEC_BYTES
from odahu_argo.compile.workflow import (
    API_VERSION,
    Object,
    digest,
    labels,
    metadata,
    require_size,
    workflow_annotations,
    workflow_spec,
)
from odahu_argo.plan.model import Plan
from odahu_argo.profile import Profile

AFTER_TEMPLATES = {"argocd.argoproj.io/sync-wave": "1"}
"""Source: https://argo-cd.readthedocs.io/en/stable/user-guide/sync-waves/"""
MAX_TTL = 2**31 - 1
"""Maximum of the field in seconds, 68 years."""
HISTORY_LIMIT = 10
STARTING_DEADLINE = 600
"""Seconds within which the controller starts a scheduled run that it missed."""


def workflow_template(plan: Plan) -> Object:
    """Return the WorkflowTemplate of a training, named like the training.

    Raises:
        UserError: the template exceeds the size limits of Argo or Kubernetes.
    """
    spec = workflow_spec(plan)
    annotations = workflow_annotations(plan, spec)
    annotations[naming.SPEC_ANNOTATION] = _indent_json(annotations[naming.SPEC_ANNOTATION])
    template_labels = {name: labels(plan)[name] for name in (naming.MANAGED_BY_LABEL, naming.TRAINING_ID_LABEL)}
    template = {
        "apiVersion": API_VERSION,
        "kind": "WorkflowTemplate",
        "metadata": {**metadata(plan, plan.training_id), "labels": template_labels},
        "spec": {
            "workflowMetadata": {"labels": labels(plan), "annotations": annotations},
            **spec,
            "templates": [_with_indented_spec(template) for template in spec["templates"]],
        },
    }
    return require_size(plan, template)


def template_run(plan: Plan) -> Object:
    """Return the Workflow that runs the training's template once; its name contains the digest of the plan.

    Argo must not delete the finished workflow, because GitOps tools would create and run it again.
    """
    ttl = {f"secondsAfter{event}": MAX_TTL for event in ("Completion", "Success", "Failure")}
    return {
        "apiVersion": API_VERSION,
        "kind": "Workflow",
        "metadata": {
            **metadata(plan, naming.run_name(plan.training_id, digest(plan))),
            "labels": labels(plan),
            "annotations": AFTER_TEMPLATES,
        },
        "spec": {"workflowTemplateRef": {"name": plan.training_id}, "ttlStrategy": ttl},
    }


def cron_workflow(plan: Plan) -> Object | None:
    """Return the CronWorkflow of a training, or None if the training has no schedule."""
    if plan.schedule is None:
        return None
    return {
        "apiVersion": API_VERSION,
        "kind": "CronWorkflow",
        "metadata": {
            **metadata(plan, naming.cron_name(plan.training_id)),
            "labels": labels(plan),
            "annotations": AFTER_TEMPLATES,
        },
        "spec": {
            "schedules": list(plan.schedule.crons),
            "timezone": plan.schedule.timezone,
            "concurrencyPolicy": "Forbid",
            "startingDeadlineSeconds": STARTING_DEADLINE,
            "successfulJobsHistoryLimit": HISTORY_LIMIT,
            "failedJobsHistoryLimit": HISTORY_LIMIT,
            "workflowMetadata": {"labels": labels(plan)},
            "workflowSpec": {"workflowTemplateRef": {"name": plan.training_id}},
        },
    }


def external_secret(profile: Profile, connection: str) -> Object:
    """Return the ExternalSecret that creates a connection's Secret from the secret store of the profile.

    Source: https://external-secrets.io/latest/api/externalsecret/
    """
    settings, secret = profile.external_secrets, naming.connection_secret(connection)
    namespace = {"namespace": profile.namespace} if profile.namespace else {}
    secret_labels = {naming.MANAGED_BY_LABEL: naming.MANAGED_BY, naming.CONNECTION_ID_LABEL: connection}
    return {
        "apiVersion": "external-secrets.io/v1",
        "kind": "ExternalSecret",
        "metadata": {"name": secret, **namespace, "labels": secret_labels},
        "spec": {
            "refreshInterval": settings.refresh,
            "secretStoreRef": {"kind": settings.kind, "name": settings.store},
            "target": {"name": secret, "template": {"metadata": {"labels": secret_labels}}},
            "dataFrom": [{"extract": {"key": settings.prefix + connection}}],
        },
    }


def _with_indented_spec(template: Object) -> Object:
    """Return the template with the step's specification on several lines, so that diffs show the changed value."""
    indented = dict(template)
    if "initContainers" in template:
        indented["initContainers"] = [_with_indented_variable(container) for container in template["initContainers"]]
    if "container" in template:
        indented["container"] = _with_indented_variable(template["container"])
    return indented


def _with_indented_variable(container: Object) -> Object:
    environment = [
        {**variable, "value": _indent_json(variable["value"])}
        if variable["name"] == contract.STEP_VARIABLE
        else variable
        for variable in container["env"]
    ]
    return {**container, "env": environment}


def _indent_json(text: str) -> str:
    """Return the JSON text indented, or unchanged if the result would not fit into an environment variable."""
    indented = escape_json(json.dumps(json.loads(text), indent=2, ensure_ascii=False)) + "\n"
    return indented if len(indented.encode()) <= MAX_SPEC_BYTES else text
