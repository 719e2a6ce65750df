"""Plan trainings for a cluster and submit compiled Workflows exactly once."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TypeVar

from odahu_argo import naming
from odahu_argo.backoff import delays
from odahu_argo.compile.schema import schema_errors
from odahu_argo.errors import AlreadyExists, Forbidden, NotFound, Unreachable, UserError
from odahu_argo.kube.cluster import WORKFLOW, Cluster, Object
from odahu_argo.manifest.load import Manifests
from odahu_argo.manifest.resolve import connection_names
from odahu_argo.plan.build import plan_trainings, with_reference
from odahu_argo.plan.model import Plan
from odahu_argo.profile import Profile
from odahu_argo.resources.connection_secret import secret_fields
from odahu_argo.resources.connections import find_connection
from odahu_argo.resources.toolchains import registered_toolchains

SUBMIT_SECONDS = 60.0
"""Time to find out whether a request without a response was executed, and to wait for the deletion of an older Workflow."""
_CHECK_SECONDS = 5.0
_CONTENT = (naming.DIGEST_ANNOTATION, naming.RESULTS_ANNOTATION)

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class SubmittedWorkflow:
    """A Workflow on the cluster. `is_new` is False if the same content had been submitted before."""

    name: str
    uid: str
    is_new: bool = True


class _BeingDeleted(AlreadyExists):
    """A Workflow of this name is being deleted."""


def plan_for_cluster(
    cluster: Cluster, manifests: Manifests, profile: Profile, training_id: str | None = None
) -> list[Plan]:
    """Return a plan for each training in the manifests, or for the one with the given ID.

    A toolchain comes from the manifests, or else from the cluster, or else is built in. A connection without a manifest
    refers to a Secret on the cluster; preflight checks report whether it exists.

    Raises:
        UserError: The manifests have errors. Reports all of them.
        Unreachable: The API does not respond.
    """
    trainings = [written.manifest for written in (*manifests.trainings, *manifests.invalid_trainings)]
    with suppress(Forbidden):
        required = {training.spec.toolchain for training in trainings}
        own = {written.manifest.id for written in manifests.toolchains}
        manifests = replace(manifests, registered=registered_toolchains(cluster, required - own))
    names = tuple(name for training in trainings for name in connection_names(training, profile))
    plans = plan_trainings(manifests, profile.with_external(names), training_id)
    return _with_references(cluster, plans)


def _with_references(cluster: Cluster, plans: Sequence[Plan]) -> list[Plan]:
    """Add the git references of connections on the cluster to the displayed specs, as far as the account may read them."""
    external = {use.id for plan in plans for use in plan.connections if use.external}
    references: dict[str, str] = {}
    for name in sorted(external.intersection(map(_git_connection, plans))):
        with suppress(NotFound, Forbidden):
            references[name] = secret_fields(find_connection(cluster, name)).get("reference", "")
    return [replace(plan, spec=with_reference(plan.spec, references.get(_git_connection(plan), ""))) for plan in plans]


def _git_connection(plan: Plan) -> str:
    """Return the connection that the plan checks out from git, or an empty text."""
    return next((step.connection or "" for step in plan.steps if step.kind == "checkout"), "")


def check(cluster: Cluster, workflow: Object) -> None:
    """Check that Argo's schema and the API accept the Workflow, by a server-side dry run.

    Raises:
        UserError: hera-workflows' models or the API reject a field.
        AlreadyExists: A Workflow of this name exists.
        Forbidden, Unreachable: The API did not answer the question.
    """
    if problems := list(schema_errors(workflow)):
        raise UserError(problems)
    _retry(lambda: cluster.create(WORKFLOW, workflow, dry_run=True), _CHECK_SECONDS)


def submit(cluster: Cluster, workflow: Object, seconds: float = SUBMIT_SECONDS) -> SubmittedWorkflow:
    """Create the Workflow in the cluster's namespace exactly once.

    The name identifies the training and its attempt, and a random annotation identifies this submission. If a response is
    lost, the same object is created again: either the first request was not executed, or the API reports that the name
    exists and the annotation shows who created it. Retries for `seconds`, which also bounds the wait for the deletion of an
    older Workflow of the same name.

    Raises:
        UserError: hera-workflows' models or the API reject a field.
        AlreadyExists: A Workflow of this name has different content, or its deletion does not finish.
        Forbidden: The account may not create Workflows.
        Unreachable: The API cannot be reached. The message states whether the Workflow may have been created.
    """
    signed = _signed(workflow, cluster.namespace)
    with suppress(AlreadyExists):
        check(cluster, signed)
    try:
        return _retry(lambda: _create(cluster, signed), seconds)
    except Unreachable as error:
        raise Unreachable(
            f"workflow {signed['metadata']['name']!r} may or may not have been created: {error.problems[0].message}",
            hint="submit the training again later; it does not run twice",
        ) from error


def _signed(workflow: Object, namespace: str) -> Object:
    metadata = workflow["metadata"]
    annotations = {**metadata.get("annotations", {}), naming.SUBMISSION_ANNOTATION: uuid.uuid4().hex}
    return {**workflow, "metadata": {**metadata, "namespace": namespace, "annotations": annotations}}


def _retry(request: Callable[[], T], seconds: float) -> T:
    deadline = time.monotonic() + seconds
    waits = delays(0.5, 8)
    while True:
        try:
            return request()
        except (Unreachable, _BeingDeleted):
            wait = next(waits)
            if time.monotonic() + wait > deadline:
                raise
        time.sleep(wait)


def _create(cluster: Cluster, signed: Object) -> SubmittedWorkflow:
    try:
        return _submitted(cluster.create(WORKFLOW, signed), is_new=True)
    except AlreadyExists:
        return _existing(cluster, signed)


def _existing(cluster: Cluster, signed: Object) -> SubmittedWorkflow:
    """Return the existing Workflow if this process created it, or if it has the same content."""
    name = signed["metadata"]["name"]
    try:
        existing = cluster.get(WORKFLOW, name)
    except NotFound:
        raise _BeingDeleted(f"workflow {name!r} existed and was deleted in the meantime", "try again") from None
    theirs, ours = existing["metadata"].get("annotations") or {}, signed["metadata"]["annotations"]
    if existing["metadata"].get("deletionTimestamp"):
        raise _BeingDeleted(
            f"workflow {name!r} is still being deleted",
            hint=f"try again later; kubectl get workflow {name} -o yaml shows the finalizers that delay the deletion",
        )
    if theirs.get(naming.SUBMISSION_ANNOTATION) == ours[naming.SUBMISSION_ANNOTATION]:
        return _submitted(existing, is_new=True)
    if all(theirs.get(name) == ours.get(name) for name in _CONTENT):
        return _submitted(existing, is_new=False)
    raise AlreadyExists(
        f"workflow {name!r} already exists with different content: it was submitted at the same time by someone else",
        hint="check odahu-argo train get, then try again",
    )


def _submitted(workflow: Object, is_new: bool) -> SubmittedWorkflow:
    return SubmittedWorkflow(str(workflow["metadata"]["name"]), str(workflow["metadata"].get("uid", "")), is_new)
