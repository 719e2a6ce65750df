"""Checks of RBAC permissions: those of the user, and those of the trainings' service account.

https://kubernetes.io/docs/reference/access-authn-authz/authorization/#checking-api-access
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from odahu_argo.errors import Forbidden
from odahu_argo.kube.apply import find
from odahu_argo.kube.cluster import (
    LOCAL_SUBJECT_ACCESS_REVIEW,
    SELF_SUBJECT_ACCESS_REVIEW,
    SERVICE_ACCOUNT,
    WORKFLOW,
    Cluster,
    Object,
)
from odahu_argo.preflight.result import CheckResult
from odahu_argo.profile import Profile


@dataclass(frozen=True, slots=True)
class Permission:
    """A verb on a resource in the training namespace. `subresource` is empty for the resource itself."""

    verb: str
    resource: str
    group: str = ""
    subresource: str = ""

    def __str__(self) -> str:
        subresource = f"/{self.subresource}" if self.subresource else ""
        group = f".{self.group}" if self.group else ""
        return f"{self.verb} {self.resource}{subresource}{group}"


def _on_workflows(verb: str) -> Permission:
    return Permission(verb, WORKFLOW.plural, WORKFLOW.group)


REQUIRED = tuple(_on_workflows(verb) for verb in ("create", "get", "list", "watch"))
"""Without these permissions, nothing can be submitted or followed."""
OPTIONAL: dict[Permission, str] = {
    _on_workflows("patch"): "train stop and train edit cannot stop a run",
    _on_workflows("delete"): "train delete cannot delete runs",
    Permission("list", "configmaps"): "the history of earlier trainings is not available",
    Permission("watch", "configmaps"): "odahu-argo server cannot list trainings",
    Permission("create", "configmaps"): "only the recorder can record the history of trainings",
    Permission("update", "configmaps"): "only the recorder can record the history of trainings",
    Permission("list", "pods"): "train logs cannot find pods",
    Permission("list", "events"): "the reason why a pod does not start is not available",
    Permission("get", "pods", subresource="log"): "train logs cannot read pods",
    Permission("get", "persistentvolumeclaims"): "train retry cannot find the workspace",
    Permission("patch", "persistentvolumeclaims"): "train retry cannot keep the workspace",
    Permission("delete", "persistentvolumeclaims"): "workspaces of retried trainings are not deleted",
}
"""What does not work without a permission."""
EXECUTOR = tuple(Permission(verb, "workflowtaskresults", WORKFLOW.group) for verb in ("create", "patch"))
"""What Argo's executor needs in each pod: https://argo-workflows.readthedocs.io/en/latest/workflow-rbac/"""


def check_user(cluster: Cluster) -> Iterator[CheckResult]:
    """Check the permissions of the user."""
    subject, location = "permissions", f"in namespace {cluster.namespace}"
    try:
        missing = _missing(cluster, [*REQUIRED, *OPTIONAL])
    except Forbidden:
        yield CheckResult("warning", subject, "your permissions cannot be checked: access reviews are forbidden")
        return
    hint = "ask a cluster administrator for a Role with this permission"
    for permission in missing:
        message = f"you cannot {permission} {location}"
        if permission in OPTIONAL:
            yield CheckResult("warning", subject, f"{message}: {OPTIONAL[permission]}", hint)
        else:
            yield CheckResult("error", subject, message, hint)
    if not missing:
        yield CheckResult("ok", subject, f"you have all permissions {location}")


def check_service_account(cluster: Cluster, profile: Profile) -> Iterator[CheckResult]:
    """Check that the trainings' service account exists and has the permissions that Argo's executor needs."""
    name, subject = profile.service_account, "service account"
    try:
        exists = find(cluster, SERVICE_ACCOUNT, name) is not None
    except Forbidden:
        exists = True
    if not exists:
        message = f"ServiceAccount {name} does not exist in namespace {cluster.namespace}"
        yield CheckResult("error", subject, message, "run `odahu-argo setup --apply`")
        return
    user = f"system:serviceaccount:{cluster.namespace}:{name}"
    try:
        missing = _missing(cluster, EXECUTOR, user)
    except Forbidden:
        resource = f"{EXECUTOR[0].resource}.{EXECUTOR[0].group}"
        hint = f"ask a cluster administrator: kubectl auth can-i create {resource} -n {cluster.namespace} --as {user}"
        message = f"the permissions of {name} cannot be checked: access reviews are forbidden"
        yield CheckResult("warning", subject, message, hint)
        return
    for permission in missing:
        message = f"{name} cannot {permission}: Argo cannot read the results of its pods, and every step fails"
        yield CheckResult("error", subject, message, "run `odahu-argo setup --apply`")
    if not missing:
        yield CheckResult("ok", subject, f"{name} exists and has the permissions that Argo's executor needs")


def _missing(cluster: Cluster, permissions: Sequence[Permission], user: str | None = None) -> list[Permission]:
    """Return the permissions that a service account, or by default the current user, lacks.

    Raises:
        Forbidden: access reviews are forbidden.
    """
    with ThreadPoolExecutor(max_workers=8) as pool:
        allowed = list(pool.map(lambda permission: _is_allowed(cluster, permission, user), permissions))
    return [permission for permission, is_allowed in zip(permissions, allowed, strict=True) if not is_allowed]


def _is_allowed(cluster: Cluster, permission: Permission, user: str | None) -> bool:
    attributes = {
        "namespace": cluster.namespace,
        "verb": permission.verb,
        "group": permission.group,
        "resource": permission.resource,
        "subresource": permission.subresource,
    }
    spec: Object = {"resourceAttributes": attributes}
    if user is None:
        review = cluster.create(SELF_SUBJECT_ACCESS_REVIEW, {"spec": spec})
    else:
        # https://kubernetes.io/docs/reference/access-authn-authz/authentication/#service-account-tokens
        groups = ["system:serviceaccounts", f"system:serviceaccounts:{cluster.namespace}", "system:authenticated"]
        body = {"metadata": {"namespace": cluster.namespace}, "spec": {**spec, "user": user, "groups": groups}}
        review = cluster.create(LOCAL_SUBJECT_ACCESS_REVIEW, body)
    return bool((review.get("status") or {}).get("allowed"))
