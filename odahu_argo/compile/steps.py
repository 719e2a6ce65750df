"""One step of the plan to Argo's templates: a container that runs `python -m odahu_argo.steps <kind>`."""

from __future__ import annotations

from typing import Any

from odahu_argo import contract, naming
from odahu_argo.compile.emit import inert_json
from odahu_argo.errors import UserError
from odahu_argo.plan.model import Amounts, Plan, Retry, Step

Object = dict[str, Any]

LOST = "lastRetry.status == 'Error'"
"""A fault of Argo or a pod that is gone with its node: the status that Argo gives to what is not the container's doing."""

RETRIED_FAULTS = (
    f"{LOST} or not (lastRetry.message matches 'deadline') and (asInt(lastRetry.exitCode) in [3, 143]"
    " or lastRetry.message matches 'low on resource|node shutdown|[Ee]vict|[Pp]reempt')"
)
"""Also a fault that the step reports (3), a pod asked to leave (143: a drained node) and a pod evicted. A user's mistake (2),
a program that ran out of memory (137) and a time-out are not tried again."""

LARGEST_SPECIFICATION = 120_000
"""Bytes. Linux takes 128 KiB in one environment variable, its name included."""

CONTAINER_SECURITY: Object = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
}


def templates(step: Step, plan: Plan) -> list[Object]:
    """What carries out one step: a template named like the step and, where the wait for a node is bounded, a second one.

    Argo 4.1 does not look at `pendingTimeout` in a template with a `retryStrategy`. There the step is a DAG of one task,
    which has the retries, around the container, which has the limit on waiting. A DAG knows no exit code, so only a lost pod
    is tried again.

    Raises:
        UserError: the step's specification is too large for an environment variable.
    """
    if step.pending_timeout is None:
        return [{"name": step.name, "retryStrategy": retry_strategy(step.retry, RETRIED_FAULTS), **_pod(step, plan)}]
    attempt = f"attempt-{step.name}"
    return [
        {
            "name": step.name,
            "retryStrategy": retry_strategy(step.retry, LOST),
            "dag": {"tasks": [{"name": "attempt", "template": attempt}]},
        },
        {"name": attempt, "pendingTimeout": f"{step.pending_timeout}s", **_pod(step, plan)},
    ]


def _pod(step: Step, plan: Plan) -> Object:
    """All of a template but its name, retries and limit on waiting."""
    body: Object = {
        "metadata": {"labels": {naming.STEP_LABEL: naming.shorten(step.name)}},
        "activeDeadlineSeconds": str(step.timeout),
    }
    if step.placement.node_selector:
        body["nodeSelector"] = dict(step.placement.node_selector)
    if step.placement.tolerations:
        body["tolerations"] = [dict(toleration) for toleration in step.placement.tolerations]
    if step.results:
        body["outputs"] = {"parameters": [_output(result) for result in step.results]}
    if step.connection is not None:
        body["volumes"] = [_connection_volume(step.connection)]
    body["container"] = container(step, plan)
    return body


def container(step: Step, plan: Plan) -> Object:
    """The container: an argv list without a shell, the specification in one variable, only the Secrets it needs."""
    mounts: list[Object] = [{"name": naming.WORKSPACE_CLAIM, "mountPath": contract.WORKSPACE}]
    if step.connection is not None:
        folder = f"{contract.CONNECTIONS}/{step.connection}"
        mounts.append({"name": naming.connection_volume(step.connection), "mountPath": folder, "readOnly": True})
    body: Object = {
        "image": step.image,
        "command": ["python", "-m", contract.MODULE, step.kind],
        "env": _environment(step, plan),
        "resources": _resources(step, plan.profile.pools.gpu.resource_name),
        "securityContext": CONTAINER_SECURITY,
        "volumeMounts": mounts,
    }
    secret = plan.profile.tracking.credentials_secret
    if secret and step.uses_tracking:
        body["envFrom"] = [{"secretRef": {"name": secret}}]
    return body


def retry_strategy(retry: Retry, expression: str) -> Object:
    """Retries while `expression` holds, each wait twice as long (https://argo-workflows.readthedocs.io/en/latest/retries/)."""
    return {
        "limit": str(retry.limit),
        "retryPolicy": "Always",
        "expression": expression,
        "backoff": {"duration": f"{retry.first_wait}s", "factor": "2"},
    }


def _output(result: str) -> Object:
    path = f"{contract.WORKSPACE}/results/{result}"
    return {"name": result, "globalName": result, "valueFrom": {"path": path}}


def _connection_volume(connection: str) -> Object:
    return {
        "name": naming.connection_volume(connection),
        "secret": {"secretName": naming.connection_secret(connection), "defaultMode": 0o440},
    }


def _environment(step: Step, plan: Plan) -> list[Object]:
    specification = inert_json(contract.spec_to_json(step.spec))
    if len(specification.encode()) > LARGEST_SPECIFICATION:
        message = f"step {step.name} of {plan.training_id} is described by {len(specification.encode())} bytes"
        raise UserError(f"{message}; {LARGEST_SPECIFICATION} are allowed", "keep large values in a data connection")
    environment = {
        contract.STEP_VARIABLE: specification,
        "HOME": f"{contract.WORKSPACE}/home",
        **(_tracking(plan) if step.uses_tracking else {}),
    }
    return [{"name": name, "value": value} for name, value in environment.items()]


def _tracking(plan: Plan) -> dict[str, str]:
    """Where MLflow keeps its records: the site's server, that of the training's environment, else the workspace."""
    match plan.tracking:
        case "server":
            return {contract.TRACKING_VARIABLE: plan.profile.tracking.uri or ""}
        case "training":
            return {}
        case "workspace":
            return {
                contract.TRACKING_VARIABLE: f"sqlite:///{contract.WORKSPACE}/mlflow.db",
                contract.MLFLOW_ARTIFACTS_VARIABLE: f"file://{contract.WORKSPACE}/mlflow-artifacts",
            }


def _resources(step: Step, gpu_resource: str) -> Object:
    limits = _amounts(step.limits)
    if step.limits.gpus:
        limits[gpu_resource] = str(step.limits.gpus)
    return {"limits": limits, "requests": _amounts(step.requests)}


def _amounts(amounts: Amounts) -> dict[str, str]:
    named = {"cpu": amounts.cpu, "memory": amounts.memory}
    return {name: amount for name, amount in named.items() if amount}
