"""Who may do what: the rights of the user, and those of the account that a training's pods run with.

https://kubernetes.io/docs/reference/access-authn-authz/authorization/#checking-api-access
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from odahu_argo.errors import Forbidden
from odahu_argo.kube.apply import find
from odahu_argo.kube.cluster import (
    LOCAL_SUBJECT_ACCESS_REVIEW,
    SELF_SUBJECT_ACCESS_REVIEW,
    SERVICE_ACCOUNT,
    WORKFLOW,
    Cluster,
    Kind,
    Object,
)
from odahu_argo.preflight.result import Finding
from odahu_argo.profile import Profile

Right = tuple[str, str, str]
"""Verb, group, resource; a part of a resource comes after a slash."""

NEEDED: tuple[Right, ...] = tuple(
    (verb, WORKFLOW.group, WORKFLOW.plural) for verb in ("create", "get", "list", "watch")
)
"""Without these rights nothing can be submitted or followed."""
WANTED: dict[Right, str] = {
    ("patch", WORKFLOW.group, WORKFLOW.plural): "train stop and train edit cannot stop a run",
    ("delete", WORKFLOW.group, WORKFLOW.plural): "train delete cannot remove runs",
    ("list", "", "configmaps"): "what is remembered of earlier trainings is not seen",
    ("create", "", "configmaps"): "what becomes of trainings is remembered by the recorder alone",
    ("update", "", "configmaps"): "what becomes of trainings is remembered by the recorder alone",
    ("list", "", "pods"): "train logs sees no pods",
    ("list", "", "events"): "why a pod does not start is not told",
    ("get", "", "pods/log"): "train logs cannot read pods",
    ("get", "", "persistentvolumeclaims"): "train retry cannot see the workspace",
    ("patch", "", "persistentvolumeclaims"): "train retry cannot keep the workspace",
    ("delete", "", "persistentvolumeclaims"): "workspaces of retried trainings are left behind",
}
EXECUTOR: tuple[Right, ...] = tuple((verb, WORKFLOW.group, "workflowtaskresults") for verb in ("create", "patch"))
"""What Argo's executor does in each pod: https://argo-workflows.readthedocs.io/en/latest/workflow-rbac/"""


@dataclass(frozen=True, slots=True)
class _Asker:
    """Whose rights are asked for, in a namespace: one's own, or those that `subject` names."""

    cluster: Cluster
    review: Kind
    subject: Object = field(default_factory=dict)

    def missing(self, rights: Iterable[Right]) -> list[Right]:
        """Those that are not there. Forbidden where one may not ask."""
        asked = list(rights)
        with ThreadPoolExecutor(max_workers=8) as pool:
            allowed = list(pool.map(self._may, asked))
        return [right for right, is_allowed in zip(asked, allowed, strict=True) if not is_allowed]

    def _may(self, right: Right) -> bool:
        verb, group, whole = right
        resource, _, part = whole.partition("/")
        asked = {
            "namespace": self.cluster.namespace,
            "verb": verb,
            "group": group,
            "resource": resource,
            "subresource": part,
        }
        namespace = {"namespace": self.cluster.namespace} if self.review.namespaced else {}
        answer = self.cluster.create(
            self.review, {"metadata": namespace, "spec": {**self.subject, "resourceAttributes": asked}}
        )
        return bool((answer.get("status") or {}).get("allowed"))


def check_own_rights(cluster: Cluster) -> Iterator[Finding]:
    """What the user may not do, and what does not work then."""
    subject, place = "your rights", f"in namespace {cluster.namespace}"
    try:
        missing = _Asker(cluster, SELF_SUBJECT_ACCESS_REVIEW).missing([*NEEDED, *WANTED])
    except Forbidden:
        yield Finding("warning", subject, "you may not ask for your own rights, so nothing was seen of them")
        return
    ask = "ask whoever runs the cluster for a Role with this right"
    for right in missing:
        what = f"you may not {_told(right)} {place}"
        if right in WANTED:
            yield Finding("warning", subject, f"{what}: {WANTED[right]}", ask)
        else:
            yield Finding("error", subject, what, ask)
    if not missing:
        yield Finding("ok", subject, f"all that is needed {place}")


def check_account(cluster: Cluster, profile: Profile) -> Iterator[Finding]:
    """Whether the trainings' service account is there, and may do what Argo's executor does with it."""
    name, subject = profile.service_account, "service account"
    try:
        is_there = find(cluster, SERVICE_ACCOUNT, name) is not None
    except Forbidden:
        is_there = True
    if not is_there:
        message = f"there is no ServiceAccount {name} in namespace {cluster.namespace}"
        yield Finding("error", subject, message, "odahu-argo setup --apply makes it, with its rights")
        return
    try:
        missing = _Asker(cluster, LOCAL_SUBJECT_ACCESS_REVIEW, _as_account(cluster.namespace, name)).missing(EXECUTOR)
    except Forbidden:
        hint = f"whoever may do so asks: kubectl auth can-i create {EXECUTOR[0][2]}.{WORKFLOW.group} -n {cluster.namespace}"
        hint = f"{hint} --as system:serviceaccount:{cluster.namespace}:{name}"
        yield Finding("warning", subject, f"you may not ask what {name} may do, so its rights were not seen", hint)
        return
    for right in missing:
        message = f"{name} may not {_told(right)}: Argo cannot take over what its pods leave, and fails each step"
        yield Finding("error", subject, message, "odahu-argo setup --apply gives it its Role")
    if not missing:
        yield Finding("ok", subject, f"{name} is there, with the rights that Argo's executor needs")


def _as_account(namespace: str, name: str) -> Object:
    """https://kubernetes.io/docs/reference/access-authn-authz/authentication/#service-account-tokens"""
    groups = ["system:serviceaccounts", f"system:serviceaccounts:{namespace}", "system:authenticated"]
    return {"user": f"system:serviceaccount:{namespace}:{name}", "groups": groups}


def _told(right: Right) -> str:
    verb, group, resource = right
    return f"{verb} {resource}{'.' + group if group else ''}"
