"""What can be seen on the cluster before anything is booked: whether a training could run there, and what is in its way."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from odahu_argo import naming
from odahu_argo.compile.workflow import compile_workflow
from odahu_argo.errors import Forbidden, NotFound, Unauthorized, UserError
from odahu_argo.kube.apply import find
from odahu_argo.kube.cluster import NAMESPACE, SECRET, STORAGE_CLASS, Cluster, Kind, Object
from odahu_argo.plan.model import Plan, PlannedStep
from odahu_argo.preflight.argo import check_argo
from odahu_argo.preflight.capacity import room_on_nodes
from odahu_argo.preflight.permissions import check_account, check_own_rights
from odahu_argo.preflight.result import Finding
from odahu_argo.profile import Profile

STORES = ("s3", "gcs", "azureblob")
PULL_SECRETS = ("kubernetes.io/dockerconfigjson", "kubernetes.io/dockercfg")
APPLY = "odahu-argo conn apply -f FILE makes it from a Connection"
DEFAULT_CLASS = "storageclass.kubernetes.io/is-default-class"


def check(cluster: Cluster, profile: Profile, plans: Sequence[Plan] = ()) -> tuple[Finding, ...]:
    """Everything that was looked at: the cluster itself, what the profile names, and whatever these plans need.

    Raises:
        Unreachable: the API does not answer.
        Unauthorized: it does not accept the credentials.
    """
    if missing := _namespace(cluster):
        return (missing,)
    findings = [
        *check_argo(cluster, profile.argo.url, plans),
        *check_own_rights(cluster),
        *check_account(cluster, profile),
    ]
    findings += _other_secrets(cluster, profile)
    findings += _storage(cluster, profile)
    if not plans:
        findings += _connections_of_the_profile(cluster, profile)
    for plan in plans:
        findings += _connections(cluster, plan)
        findings += _workflow(plan)
    findings += room_on_nodes(cluster, plans)
    return tuple(dict.fromkeys(findings))


def _namespace(cluster: Cluster) -> Finding | None:
    """What is said where the namespace is not there; then nothing in it can be."""
    try:
        cluster.get(NAMESPACE, cluster.namespace)
    except Unauthorized:
        raise
    except NotFound:
        hint = "odahu-argo setup --apply makes it where the profile names it; -n names another"
        return Finding("error", "namespace", f"there is no namespace {cluster.namespace}", hint)
    except Forbidden:
        pass
    return None


def _workflow(plan: Plan) -> Iterator[Finding]:
    """Whether the plan fits an object of Kubernetes, and Argo."""
    subject = f"workflow of {plan.training_id}"
    try:
        compile_workflow(plan)
    except UserError as error:
        yield from (Finding("error", subject, each.message, each.hint) for each in error.problems)


def _connections_of_the_profile(cluster: Cluster, profile: Profile) -> Iterator[Finding]:
    for name in dict.fromkeys((profile.output_connection, *profile.external_connections)):
        secret = naming.connection_secret(name)
        if _look(cluster, SECRET, secret) is None:
            message = f"there is no Secret {secret} in namespace {cluster.namespace}, which the profile counts on"
            yield Finding("warning", f"connection {name}", message, APPLY)


def _connections(cluster: Cluster, plan: Plan) -> Iterator[Finding]:
    types = {use.id: use.type for use in plan.connections}
    for name, steps in _users(plan.steps).items():
        secret = naming.connection_secret(name)
        found = _look(cluster, SECRET, secret)
        subject = f"connection {name}"
        if found is None:
            message = f"there is no Secret {secret} in namespace {cluster.namespace}; {steps[0].name} mounts it"
            yield Finding("error", subject, message, APPLY)
        elif not found:
            yield Finding("warning", "connections", "you may not read Secrets, so nothing was seen of connections")
        else:
            yield _fields(subject, secret, found, steps[0], types.get(name, ""))


def _fields(subject: str, secret: str, found: Object, step: PlannedStep, declared: str) -> Finding:
    from base64 import b64decode

    data = found.get("data") or {}
    missing = [field for field in ("type", "uri") if not data.get(field)]
    hint = "odahu-argo conn apply -f FILE brings it up to date"
    if missing:
        return Finding("error", subject, f"Secret {secret} has no {' and no '.join(missing)}", hint)
    kind = b64decode(data["type"]).decode("utf-8", "replace").strip()
    wanted = ("git",) if step.kind == "checkout" else STORES
    if kind not in wanted:
        return Finding(
            "error", subject, f"Secret {secret} is of type {kind!r}; {step.name} needs {' or '.join(wanted)}", hint
        )
    if declared and declared != kind:
        return Finding("warning", subject, f"Secret {secret} is of type {kind}, its manifest of type {declared}", hint)
    return Finding("ok", subject, f"Secret {secret}, type {kind}")


def _users(steps: Iterable[PlannedStep]) -> dict[str, list[PlannedStep]]:
    users: dict[str, list[PlannedStep]] = {}
    for step in steps:
        if step.connection is not None:
            users.setdefault(step.connection, []).append(step)
    return users


def _other_secrets(cluster: Cluster, profile: Profile) -> Iterator[Finding]:
    name = profile.tracking.credentials_secret
    if name and _look(cluster, SECRET, name) is None:
        hint = "make it, or mend tracking.credentials_secret in the profile"
        yield Finding("error", "tracking", f"there is no Secret {name} in namespace {cluster.namespace}", hint)
    for name in profile.image_pull_secrets:
        found = _look(cluster, SECRET, name)
        if found is None:
            hint = "odahu-argo conn apply makes one from a Connection of type docker; image_pull_secrets names it"
            yield Finding("error", "images", f"there is no Secret {name} in namespace {cluster.namespace}", hint)
        elif found and found.get("type") not in PULL_SECRETS:
            message = f"Secret {name} is of type {found.get('type')}; images are pulled with {PULL_SECRETS[0]}"
            yield Finding("warning", "images", message, "kubectl create secret docker-registry makes one")


def _storage(cluster: Cluster, profile: Profile) -> Iterator[Finding]:
    name = profile.workspace.storage_class
    try:
        classes = cluster.list(STORAGE_CLASS).items
    except Forbidden:
        return
    names = [each["metadata"]["name"] for each in classes]
    if name and name not in names:
        message = f"there is no storage class {name}; there are {', '.join(names) or 'none'}"
        yield Finding("error", "workspace", message, "mend workspace.storage_class in the profile")
    elif not name and not any(
        (each["metadata"].get("annotations") or {}).get(DEFAULT_CLASS) == "true" for each in classes
    ):
        message = "the cluster has no default storage class: the workspace waits for a volume made by hand"
        yield Finding("warning", "workspace", message, "set workspace.storage_class in the profile")
    else:
        yield Finding("ok", "workspace", f"storage class {name or 'by default'}")


def _look(cluster: Cluster, kind: Kind, name: str) -> Object | None:
    """The object; None where there is none, and an empty one where it may not be seen."""
    try:
        return find(cluster, kind, name)
    except Forbidden:
        return {}
