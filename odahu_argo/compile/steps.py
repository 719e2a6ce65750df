"""Compilation of one planned step to Argo templates: a container that runs `python -m odahu_argo.steps <kind>`.

The step `train` runs in any image: an init container of the runner image prepares it, and its container starts the launch.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from odahu_argo import contract, naming
from odahu_argo.compile.emit import escape_json
from odahu_argo.errors import UserError
from odahu_argo.plan.model import Amounts, Plan, PlannedStep, Preparation, Queueing, RetryPolicy

Object = dict[str, Any]

_POD_LOST = "lastRetry.status == 'Error'"
"""True for errors of Argo and lost pods: Argo's status for failures that the container did not cause."""

_CONTAINER_FAULT = (
    "asInt(lastRetry.exitCode) in [3, 137, 143]"
    " or lastRetry.message matches 'low on resource|node shutdown|[Ee]vict|[Pp]reempt'"
)
_INIT_CONTAINER_FAULT = f"lastRetry.message matches '^{contract.PREPARE}: .*exit code (3|143)[)]'"
"""Argo has no exit code for an init container; its message contains the code."""

MAX_RETRY_WAIT = "5m"

MAX_SPEC_BYTES = 120_000
"""Limit on a step's specification. Linux limits one environment variable, including its name, to 128 KiB."""

_HOME = f"{contract.WORKSPACE}/home"
_START = f"{contract.WORKSPACE}/{contract.LAUNCH_DIRECTORY}/{contract.START_FILE}"

_ENVIRONMENTS = "environments"
_ENVIRONMENTS_VARIABLES = {
    contract.ENVIRONMENTS_VARIABLE: contract.ENVIRONMENTS,
    "UV_CACHE_DIR": f"{contract.ENVIRONMENTS}/uv-cache",
    "UV_PYTHON_INSTALL_DIR": f"{contract.ENVIRONMENTS}/python",
}
"""uv links files from its cache, and virtual environments refer to their Python, so both are on the same volume."""

CONTAINER_SECURITY: Object = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
}


def template(step: PlannedStep, plan: Plan) -> Object:
    """Return the template of a step, named like the step.

    Raises:
        UserError: the step's specification does not fit into an environment variable.
    """
    return {"name": step.name, "retryStrategy": retry_strategy(step.retry, _transient_fault(step)), **_pod(step, plan)}


def _transient_fault(step: PlannedStep) -> str:
    """Return an expression for lost pods, transient faults that the step reports (3), terminated (143) and killed (137) pods
    and evictions.

    User errors (2), final faults (4), out-of-memory kills (OOMKilled with 137) and time-outs are not retried.
    """
    faults = f"{_CONTAINER_FAULT} or {_INIT_CONTAINER_FAULT}" if step.preparation else _CONTAINER_FAULT
    return f"{_POD_LOST} or not (lastRetry.message matches 'deadline|OOM') and ({faults})"


def _pod(step: PlannedStep, plan: Plan) -> Object:
    """Return the fields of a template except its name and retry strategy."""
    metadata: Object = {"labels": {naming.STEP_LABEL: naming.shorten(step.name)}}
    if annotations := _wait_limits(step):
        metadata["annotations"] = annotations
    if step.queueing is not None:
        metadata["labels"] |= _queue_labels(step.queueing)
    body: Object = {
        "metadata": metadata,
        "activeDeadlineSeconds": str(step.timeout),
    }
    if step.placement.node_selector:
        body["nodeSelector"] = dict(step.placement.node_selector)
    if step.placement.any_of:
        body["affinity"] = {"nodeAffinity": _node_affinity(step.placement.any_of)}
    if step.placement.tolerations:
        body["tolerations"] = [dict(toleration) for toleration in step.placement.tolerations]
    if step.results:
        body["outputs"] = {"parameters": [_output(result) for result in step.results]}
    volumes = _volumes(step, plan)
    if volumes:
        body["volumes"] = volumes
    if step.preparation is not None:
        body["initContainers"] = [_prepare_container(step, step.preparation, plan)]
    body["container"] = container(step, plan)
    return body


def _wait_limits(step: PlannedStep) -> dict[str, str]:
    """Return annotations for the recorder: the longest waits for a node and in the queue."""
    limits = {
        naming.PENDING_TIMEOUT_ANNOTATION: step.pending_timeout,
        naming.QUEUE_TIMEOUT_ANNOTATION: step.queueing.timeout if step.queueing else None,
    }
    return {name: f"{seconds}s" for name, seconds in limits.items() if seconds is not None}


def _queue_labels(queueing: Queueing) -> dict[str, str]:
    """Return the labels for Kueue, on this pod alone: the other steps do not need the resources that the queue allots.

    Source: https://kueue.sigs.k8s.io/docs/tasks/run/external_workloads/argo_workflow/
    """
    labels = {naming.QUEUE_LABEL: queueing.queue}
    return labels | ({naming.PRIORITY_LABEL: queueing.priority} if queueing.priority else {})


def _prepare_container(step: PlannedStep, preparation: Preparation, plan: Plan) -> Object:
    """Return the init container of the runner image, which checks the step and writes the launch to the workspace."""
    environments = _ENVIRONMENTS_VARIABLES if plan.profile.environments_claim else {}
    return {
        "name": contract.PREPARE,
        "image": preparation.image,
        "command": ["python", "-m", contract.MODULE, contract.PREPARE],
        "env": _variables({**_contract_variables(step, plan), "HOME": _HOME, **environments}),
        "resources": {"limits": _amounts(preparation.limits), "requests": _amounts(preparation.requests)},
        "securityContext": CONTAINER_SECURITY,
        "volumeMounts": [{"name": naming.WORKSPACE_CLAIM, "mountPath": contract.WORKSPACE}],
    }


def _node_affinity(selectors: Sequence[Mapping[str, str]]) -> Object:
    """Return an affinity to nodes that match one of the selectors.

    Source: https://kubernetes.io/docs/concepts/scheduling-eviction/assign-pod-node/#node-affinity
    """
    terms = [
        {"matchExpressions": [{"key": key, "operator": "In", "values": [value]} for key, value in selector.items()]}
        for selector in selectors
    ]
    return {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}}


def container(step: PlannedStep, plan: Plan) -> Object:
    """Return the container: an argv list, the specification in one variable, only required Secrets.

    A step with a preparation starts the launch, a script without any text of the training.
    """
    mounts: list[Object] = [{"name": naming.WORKSPACE_CLAIM, "mountPath": contract.WORKSPACE}]
    if step.connection is not None:
        path = f"{contract.CONNECTIONS}/{step.connection}"
        mounts.append({"name": naming.connection_volume(step.connection), "mountPath": path})
    if step.preparation and plan.profile.environments_claim:
        mounts.append({"name": _ENVIRONMENTS, "mountPath": contract.ENVIRONMENTS})
    body: Object = {
        "image": step.image,
        "command": ["/bin/sh", _START] if step.preparation else ["python", "-m", contract.MODULE, step.kind],
        "env": _environment(step, plan),
        "resources": _resources(step),
        "securityContext": CONTAINER_SECURITY,
        "volumeMounts": mounts,
    }
    secret = plan.profile.tracking.credentials_secret
    if secret and step.uses_tracking:
        body["envFrom"] = [{"secretRef": {"name": secret}}]
    return body


def retry_strategy(retry: RetryPolicy, expression: str) -> Object:
    """Return a strategy that retries while `expression` is true and doubles the delay each time, up to 5 minutes.

    Argo counts all retries together; the step counts faults and interruptions separately and enforces their limits. With an
    expression, Argo's default for `retryPolicy` is Always.

    Source: https://argo-workflows.readthedocs.io/en/latest/retries/
    """
    return {
        "limit": str(retry.limit + retry.interrupted),
        "expression": expression,
        "backoff": {"duration": f"{retry.first_wait}s", "factor": "2", "cap": MAX_RETRY_WAIT},
    }


def _output(result: str) -> Object:
    path = f"{contract.WORKSPACE}/results/{result}"
    return {"name": result, "globalName": result, "valueFrom": {"path": path}}


def _volumes(step: PlannedStep, plan: Plan) -> list[Object]:
    volumes = [] if step.connection is None else [_connection_volume(step.connection)]
    if step.preparation and plan.profile.environments_claim:
        claim = {"claimName": plan.profile.environments_claim}
        volumes.append({"name": _ENVIRONMENTS, "persistentVolumeClaim": claim})
    return volumes


def _connection_volume(connection: str) -> Object:
    return {
        "name": naming.connection_volume(connection),
        "secret": {"secretName": naming.connection_secret(connection), "defaultMode": 0o440},
    }


def _environment(step: PlannedStep, plan: Plan) -> list[Object]:
    specification = {} if step.preparation else _contract_variables(step, plan)
    tracking = _tracking_variables(plan) if step.uses_tracking else {}
    environments = _ENVIRONMENTS_VARIABLES if step.preparation and plan.profile.environments_claim else {}
    return _variables({**specification, "HOME": _HOME, **environments, **tracking})


def _contract_variables(step: PlannedStep, plan: Plan) -> dict[str, str]:
    """Return the specification of a step, its run, and the settings that differ from the defaults of the step contract.

    Argo before 4.1 does not pass the workflow's name to a step.
    """
    variables = {contract.STEP_VARIABLE: _specification(step, plan), contract.RUN_VARIABLE: "{{workflow.name}}"}
    if (limits := (step.retry.limit, step.retry.interrupted)) != contract.default_retries(step.kind):
        variables[contract.RETRIES_VARIABLE] = "{},{}".format(*limits)
    if not plan.profile.fail_fast and step.kind == "download":
        variables[contract.FAIL_FAST_VARIABLE] = "false"
    return variables


def _variables(values: dict[str, str]) -> list[Object]:
    return [{"name": name, "value": value} for name, value in values.items()]


def _specification(step: PlannedStep, plan: Plan) -> str:
    specification = escape_json(contract.spec_to_json(step.spec))
    if len(specification.encode()) > MAX_SPEC_BYTES:
        size = len(specification.encode())
        message = f"the specification of step {step.name} of {plan.training_id} has {size} bytes"
        raise UserError(f"{message}; the limit is {MAX_SPEC_BYTES}", "move large values to a data connection")
    return specification


def _tracking_variables(plan: Plan) -> dict[str, str]:
    """Return the variables that configure MLflow tracking; none if the training's environment does."""
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


def _resources(step: PlannedStep) -> Object:
    limits = _amounts(step.limits)
    if step.limits.gpus:
        limits[step.placement.gpu_resource] = str(step.limits.gpus)
    return {"limits": limits, "requests": _amounts(step.requests)}


def _amounts(amounts: Amounts) -> dict[str, str]:
    values = {"cpu": amounts.cpu, "memory": amounts.memory}
    return {name: amount for name, amount in values.items() if amount}
