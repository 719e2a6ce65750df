"""All checks of a cluster. They send no request that changes it."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Iterator, Sequence

from odahu_argo import naming
from odahu_argo.compile.workflow import compile_workflow
from odahu_argo.errors import Forbidden, NotFound, Unauthorized, UserError
from odahu_argo.kube.apply import find
from odahu_argo.kube.cluster import NAMESPACE, SECRET, STORAGE_CLASS, Cluster, Kind, Object
from odahu_argo.plan.model import Plan, PlannedStep
from odahu_argo.preflight.argo import check_argo
from odahu_argo.preflight.capacity import check_capacity
from odahu_argo.preflight.permissions import check_service_account, check_user
from odahu_argo.preflight.queues import check_queues
from odahu_argo.preflight.result import CheckResult
from odahu_argo.profile import Profile

STORE_TYPES = ("s3", "gcs", "azureblob")
PULL_SECRET_TYPES = ("kubernetes.io/dockerconfigjson", "kubernetes.io/dockercfg")
DEFAULT_CLASS_ANNOTATION = "storageclass.kubernetes.io/is-default-class"
_APPLY_HINT = "create it from a Connection: odahu-argo conn apply -f FILE"


def check(cluster: Cluster, profile: Profile, plans: Sequence[Plan] = ()) -> tuple[CheckResult, ...]:
    """Check the cluster, the objects that the profile references, and what the plans need.

    Raises:
        Unreachable: the API server does not respond.
        Unauthorized: the API server rejects the credentials.
    """
    if missing := _check_namespace(cluster):
        return (missing,)
    results = [
        *check_argo(cluster, profile.argo.url, plans),
        *check_user(cluster),
        *check_service_account(cluster, profile),
        *_check_profile_secrets(cluster, profile),
        *_check_storage_class(cluster, profile),
    ]
    if not plans:
        results += _check_profile_connections(cluster, profile)
    for plan in plans:
        results += _check_plan_connections(cluster, plan)
        results += _check_workflow(plan)
        results += _check_image(plan)
    results += check_capacity(cluster, plans)
    results += check_queues(cluster, profile, plans)
    return tuple(dict.fromkeys(results))


def _check_namespace(cluster: Cluster) -> CheckResult | None:
    """Return an error if the namespace does not exist; no other check is useful then."""
    try:
        cluster.get(NAMESPACE, cluster.namespace)
    except Unauthorized:
        raise
    except NotFound:
        hint = "run `odahu-argo setup --apply` to create the profile's namespace, or set another one with -n"
        return CheckResult("error", "namespace", f"namespace {cluster.namespace} does not exist", hint)
    except Forbidden:
        pass
    return None


def _check_workflow(plan: Plan) -> Iterator[CheckResult]:
    """Check that the plan compiles to a Workflow within the size limits."""
    try:
        compile_workflow(plan)
    except UserError as error:
        for problem in error.problems:
            yield CheckResult("error", f"workflow of {plan.training_id}", problem.message, problem.hint)


def _check_image(plan: Plan) -> Iterator[CheckResult]:
    """State what the training's image needs. Its content cannot be checked without pulling it."""
    step = plan.step("train")
    if step.preparation is None:
        message = f"{step.image} must contain Python 3.11 with odahu-argo[runner] and the toolchain's package"
    elif step.results:
        message = f"{step.image} needs Python and MLflow; an init container of {step.preparation.image} adds the rest"
    else:
        message = (
            f"{step.image} needs the toolchain's program; an init container of {step.preparation.image} adds the rest"
        )
    yield CheckResult("ok", f"image of {plan.training_id}", message)


def _check_profile_connections(cluster: Cluster, profile: Profile) -> Iterator[CheckResult]:
    for name in dict.fromkeys((profile.output_connection, *profile.external_connections)):
        secret = naming.connection_secret(name)
        if _find_readable(cluster, SECRET, secret) is None:
            message = f"Secret {secret}, which the profile requires, does not exist in namespace {cluster.namespace}"
            yield CheckResult("warning", f"connection {name}", message, _APPLY_HINT)


def _check_plan_connections(cluster: Cluster, plan: Plan) -> Iterator[CheckResult]:
    declared_types = {use.id: use.type for use in plan.connections}
    first_steps: dict[str, PlannedStep] = {}
    for step in plan.steps:
        if step.connection is not None:
            first_steps.setdefault(step.connection, step)
    for name, step in first_steps.items():
        secret_name = naming.connection_secret(name)
        secret = _find_readable(cluster, SECRET, secret_name)
        if secret is None:
            message = (
                f"Secret {secret_name} does not exist in namespace {cluster.namespace}; step {step.name} mounts it"
            )
            yield CheckResult("error", f"connection {name}", message, _APPLY_HINT, entity=name)
        elif not secret:
            message = "connections cannot be checked: you cannot get Secrets"
            yield CheckResult("warning", "connections", message)
        else:
            yield _check_connection_secret(name, secret, step, declared_types.get(name, ""))


def _check_connection_secret(connection: str, secret: Object, step: PlannedStep, declared_type: str) -> CheckResult:
    subject, name, data = f"connection {connection}", secret["metadata"]["name"], secret.get("data") or {}
    hint = "update it: odahu-argo conn apply -f FILE"
    if missing := [field for field in ("type", "uri") if not data.get(field)]:
        return CheckResult("error", subject, f"Secret {name} has no {' and no '.join(missing)}", hint)
    actual_type = b64decode(data["type"]).decode("utf-8", "replace").strip()
    usable_types = ("git",) if step.kind == "checkout" else STORE_TYPES
    if actual_type not in usable_types:
        message = f"Secret {name} has type {actual_type!r}; step {step.name} needs {' or '.join(usable_types)}"
        return CheckResult("error", subject, message, hint)
    if declared_type and declared_type != actual_type:
        message = f"Secret {name} has type {actual_type}, but its manifest has type {declared_type}"
        return CheckResult("warning", subject, message, hint)
    return CheckResult("ok", subject, f"Secret {name} has type {actual_type}")


def _check_profile_secrets(cluster: Cluster, profile: Profile) -> Iterator[CheckResult]:
    name = profile.tracking.credentials_secret
    if name and _find_readable(cluster, SECRET, name) is None:
        hint = "create it, or change tracking.credentials_secret in the profile"
        yield CheckResult("error", "tracking", f"Secret {name} does not exist in namespace {cluster.namespace}", hint)
    for name in profile.image_pull_secrets:
        secret = _find_readable(cluster, SECRET, name)
        if secret is None:
            hint = (
                "create it from a Connection of type docker with `odahu-argo conn apply`, or change image_pull_secrets"
            )
            message = f"Secret {name} does not exist in namespace {cluster.namespace}"
            yield CheckResult("error", "images", message, hint)
        elif secret and secret.get("type") not in PULL_SECRET_TYPES:
            message = f"Secret {name} has type {secret.get('type')}; pulling images requires {PULL_SECRET_TYPES[0]}"
            hint = "create it with `kubectl create secret docker-registry`"
            yield CheckResult("warning", "images", message, hint)


def _check_storage_class(cluster: Cluster, profile: Profile) -> Iterator[CheckResult]:
    name = profile.workspace.storage_class
    try:
        classes = cluster.list(STORAGE_CLASS).items
    except Forbidden:
        return
    names = [storage_class["metadata"]["name"] for storage_class in classes]
    annotations = [storage_class["metadata"].get("annotations") or {} for storage_class in classes]
    has_default = any(values.get(DEFAULT_CLASS_ANNOTATION) == "true" for values in annotations)
    hint = "set workspace.storage_class in the profile"
    if name and name not in names:
        message = f"storage class {name} does not exist; the cluster has {', '.join(names) or 'none'}"
        yield CheckResult("error", "workspace", message, hint)
    elif not name and not has_default:
        message = "the cluster has no default storage class: the workspace needs a manually created volume"
        yield CheckResult("warning", "workspace", message, hint)
    else:
        yield CheckResult("ok", "workspace", f"storage class {name}" if name else "default storage class")


def _find_readable(cluster: Cluster, kind: Kind, name: str) -> Object | None:
    """Return an object, None if it does not exist, and an empty one if the account may not read it."""
    try:
        return find(cluster, kind, name)
    except Forbidden:
        return {}
