"""A plan as objects that git can hold: a WorkflowTemplate, a small Workflow that refers to it, a CronWorkflow.

Argo's restrictions `Strict` and `Secure` allow a workflow that refers to a template few fields of its own
(https://argo-workflows.readthedocs.io/en/latest/workflow-restrictions/), so all that matters is in the template. Argo adds
the template's `workflowMetadata` to each workflow that runs it: its digest is therefore that of what was run.
"""

from __future__ import annotations

import json

from odahu_argo import contract, naming
from odahu_argo.compile.emit import inert_json
from odahu_argo.compile.steps import LARGEST_SPECIFICATION
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

AFTER_TEMPLATES = {"argocd.argoproj.io/sync-wave": "1"}
"""https://argo-cd.readthedocs.io/en/stable/user-guide/sync-waves/"""
NEVER = 2**31 - 1
"""Seconds, the most that the field holds: 68 years."""
FINISHED_RUNS = 10
LATE_BY = 600
"""Seconds after its time at which a run that the controller has missed is still begun."""


def workflow_template(plan: Plan) -> Object:
    """The WorkflowTemplate of a training, named like it.

    Raises:
        UserError: it would be larger than Argo takes.
    """
    spec = workflow_spec(plan)
    described = workflow_annotations(plan, spec)
    described[naming.SPEC_ANNOTATION] = _spread(described[naming.SPEC_ANNOTATION])
    own = {name: labels(plan)[name] for name in (naming.MANAGED_BY_LABEL, naming.TRAINING_ID_LABEL)}
    template = {
        "apiVersion": API_VERSION,
        "kind": "WorkflowTemplate",
        "metadata": {**metadata(plan, plan.training_id), "labels": own},
        "spec": {
            "workflowMetadata": {"labels": labels(plan), "annotations": described},
            **spec,
            "templates": [_readable(each) for each in spec["templates"]],
        },
    }
    return require_size(plan, template)


def run(plan: Plan) -> Object:
    """The Workflow that runs the training once for each of its contents.

    Argo must not remove it when it has finished: what git holds would be created, and run, again.
    """
    for_good = {f"secondsAfter{end}": NEVER for end in ("Completion", "Success", "Failure")}
    return {
        "apiVersion": API_VERSION,
        "kind": "Workflow",
        "metadata": {
            **metadata(plan, naming.run_name(plan.training_id, digest(plan))),
            "labels": labels(plan),
            "annotations": AFTER_TEMPLATES,
        },
        "spec": {"workflowTemplateRef": {"name": plan.training_id}, "ttlStrategy": for_good},
    }


def cron_workflow(plan: Plan) -> Object | None:
    """The CronWorkflow of a training that asks for a schedule; None for one that does not."""
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
            "startingDeadlineSeconds": LATE_BY,
            "successfulJobsHistoryLimit": FINISHED_RUNS,
            "failedJobsHistoryLimit": FINISHED_RUNS,
            "workflowMetadata": {"labels": labels(plan)},
            "workflowSpec": {"workflowTemplateRef": {"name": plan.training_id}},
        },
    }


def external_secret(plan: Plan, connection: str) -> Object:
    """The ExternalSecret that brings a connection's Secret from the store that the profile names.

    https://external-secrets.io/latest/api/externalsecret/
    """
    settings, secret = plan.profile.external_secrets, naming.connection_secret(connection)
    own = {naming.MANAGED_BY_LABEL: naming.MANAGED_BY, naming.CONNECTION_ID_LABEL: connection}
    return {
        "apiVersion": "external-secrets.io/v1",
        "kind": "ExternalSecret",
        "metadata": {**metadata(plan, secret), "labels": own},
        "spec": {
            "refreshInterval": settings.refresh,
            "secretStoreRef": {"kind": settings.kind, "name": settings.store},
            "target": {"name": secret, "template": {"metadata": {"labels": own}}},
            "dataFrom": [{"extract": {"key": settings.prefix + connection}}],
        },
    }


def _readable(template: Object) -> Object:
    """With the step's specification on several lines, so that a review shows the value that has changed."""
    if "container" not in template:
        return template
    container = template["container"]
    environment = [
        {**each, "value": _spread(each["value"])} if each["name"] == contract.STEP_VARIABLE else each
        for each in container["env"]
    ]
    return {**template, "container": {**container, "env": environment}}


def _spread(text: str) -> str:
    """The same JSON on several lines, unless an environment variable could not hold that."""
    spread = inert_json(json.dumps(json.loads(text), indent=2, ensure_ascii=False)) + "\n"
    return spread if len(spread.encode()) <= LARGEST_SPECIFICATION else text
