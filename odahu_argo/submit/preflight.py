"""What can be seen on the cluster before anything is booked: whether a training could run there, and what is in its way."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

from odahu_argo import naming
from odahu_argo.plan.model import Plan, Step
from odahu_argo.profile import Profile
from odahu_argo.submit.applying import find
from odahu_argo.submit.cluster import (
    ACCESS_REVIEW,
    DEFINITION,
    SECRET,
    SERVICE_ACCOUNT,
    STORAGE_CLASS,
    WORKFLOW,
    Cluster,
    Denied,
    Kind,
    NotFound,
    Object,
)
from odahu_argo.submit.finding import Finding
from odahu_argo.submit.nodes import room_on_nodes

STORES = ("s3", "gcs", "azureblob")
PULL_SECRETS = ("kubernetes.io/dockerconfigjson", "kubernetes.io/dockercfg")
DEFAULT_CLASS = "storageclass.kubernetes.io/is-default-class"
NEEDED = [(verb, WORKFLOW.group, WORKFLOW.plural) for verb in ("create", "get", "list", "watch")]
"""Without these rights nothing can be submitted or followed."""
WANTED = {
    ("patch", WORKFLOW.group, WORKFLOW.plural): "train stop and train edit cannot stop a run",
    ("delete", WORKFLOW.group, WORKFLOW.plural): "train delete cannot remove runs",
    ("list", "", "configmaps"): "what is remembered of earlier trainings is not seen",
    ("create", "", "configmaps"): "what becomes of trainings is remembered by the recorder alone",
    ("update", "", "configmaps"): "what becomes of trainings is remembered by the recorder alone",
    ("list", "", "pods"): "train logs sees no pods",
    ("get", "", "pods/log"): "train logs cannot read pods",
    ("get", "", "persistentvolumeclaims"): "train retry cannot see the workspace",
    ("patch", "", "persistentvolumeclaims"): "train retry cannot keep the workspace",
    ("delete", "", "persistentvolumeclaims"): "workspaces of retried trainings are left behind",
}


def check(cluster: Cluster, plans: Sequence[Plan] = ()) -> tuple[Finding, ...]:
    """Everything that was looked at: the cluster itself, and whatever these plans need on it.

    Raises:
        Unreachable: the API does not answer.
    """
    findings = [*_argo(cluster), *_rights(cluster)]
    for profile in _profiles(plans):
        findings += _account(cluster, profile)
        findings += _other_secrets(cluster, profile)
        findings += _storage(cluster, profile)
    for plan in plans:
        findings += _connections(cluster, plan)
    findings += room_on_nodes(cluster, plans)
    return tuple(dict.fromkeys(findings))


def _profiles(plans: Sequence[Plan]) -> list[Profile]:
    """Each profile once; plans that are submitted together share theirs."""
    profiles: list[Profile] = []
    for plan in plans:
        if plan.profile not in profiles:
            profiles.append(plan.profile)
    return profiles


def _argo(cluster: Cluster) -> Iterator[Finding]:
    """Argo's definitions, and whether they serve the version that is compiled."""
    name = f"{WORKFLOW.plural}.{WORKFLOW.group}"
    hint = "install Argo Workflows: https://argo-workflows.readthedocs.io/en/latest/installation/"
    try:
        definition = cluster.get(DEFINITION, name)
    except NotFound:
        yield Finding("error", "Argo", f"the cluster has no CustomResourceDefinition {name}", hint)
        return
    except Denied:
        return
    served = [version.get("name") for version in definition["spec"].get("versions", []) if version.get("served")]
    if WORKFLOW.version in served:
        yield Finding("ok", "Argo", f"{name} serves {WORKFLOW.version}")
    else:
        yield Finding("error", "Argo", f"{name} serves {', '.join(map(str, served))}, not {WORKFLOW.version}", hint)


def _rights(cluster: Cluster) -> Iterator[Finding]:
    rights = [*NEEDED, *WANTED]
    try:
        with ThreadPoolExecutor(max_workers=8) as pool:
            allowed = list(pool.map(lambda right: _may(cluster, *right), rights))
    except Denied:
        yield Finding("warning", "your rights", "you may not ask for your own rights, so nothing was seen of them")
        return
    place = f"in namespace {cluster.namespace}"
    ask = "ask whoever runs the cluster for a Role with this right"
    missing = [right for right, is_allowed in zip(rights, allowed, strict=True) if not is_allowed]
    for verb, group, resource in missing:
        what = f"you may not {verb} {resource}{'.' + group if group else ''} {place}"
        if (verb, group, resource) in WANTED:
            yield Finding("warning", "your rights", f"{what}: {WANTED[verb, group, resource]}", ask)
        else:
            yield Finding("error", "your rights", what, ask)
    if not missing:
        yield Finding("ok", "your rights", f"all that is needed {place}")


def _may(cluster: Cluster, verb: str, group: str, resource: str) -> bool:
    """https://kubernetes.io/docs/reference/access-authn-authz/authorization/#checking-api-access"""
    resource, _, part = resource.partition("/")
    asked = {"namespace": cluster.namespace, "verb": verb, "group": group, "resource": resource, "subresource": part}
    review = {
        "apiVersion": ACCESS_REVIEW.api_version,
        "kind": ACCESS_REVIEW.name,
        "spec": {"resourceAttributes": asked},
    }
    return bool((cluster.create(ACCESS_REVIEW, review).get("status") or {}).get("allowed"))


def _account(cluster: Cluster, profile: Profile) -> Iterator[Finding]:
    found = _look(cluster, SERVICE_ACCOUNT, profile.service_account)
    subject = "service account"
    if found is None:
        message = f"there is no ServiceAccount {profile.service_account} in namespace {cluster.namespace}"
        yield Finding("error", subject, message, "odahu-argo setup --apply makes it, with its rights")
    elif found:
        yield Finding("ok", subject, f"{profile.service_account} is there")


def _connections(cluster: Cluster, plan: Plan) -> Iterator[Finding]:
    types = {use.id: use.type for use in plan.connections}
    for name, steps in _users(plan.steps).items():
        secret = naming.connection_secret(name)
        found = _look(cluster, SECRET, secret)
        subject = f"connection {name}"
        if found is None:
            message = f"there is no Secret {secret} in namespace {cluster.namespace}; {steps[0].name} mounts it"
            yield Finding("error", subject, message, "odahu-argo conn apply -f FILE makes it from a Connection")
        elif not found:
            yield Finding("warning", "connections", "you may not read Secrets, so nothing was seen of connections")
        else:
            yield _fields(subject, secret, found, steps[0], types.get(name, ""))


def _fields(subject: str, secret: str, found: Object, step: Step, declared: str) -> Finding:
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


def _users(steps: Iterable[Step]) -> dict[str, list[Step]]:
    users: dict[str, list[Step]] = {}
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
    except Denied:
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
    except Denied:
        return {}
