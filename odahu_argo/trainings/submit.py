"""A compiled workflow to the cluster, exactly once."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TypeVar

from odahu_argo import naming
from odahu_argo.backoff import pauses
from odahu_argo.compile.schema import refused_fields
from odahu_argo.errors import AlreadyExists, Forbidden, NotFound, Unreachable, UserError
from odahu_argo.kube.cluster import WORKFLOW, Cluster, Object
from odahu_argo.manifest.load import Manifests
from odahu_argo.manifest.resolve import connection_names
from odahu_argo.plan.build import plan_trainings
from odahu_argo.plan.model import Plan
from odahu_argo.profile import Profile
from odahu_argo.resources.toolchains import registered_toolchains

PATIENCE = 60.0
"""Seconds to find out what became of a lost answer, or to wait for an earlier workflow to be gone."""
_SHORT_PATIENCE = 5.0
_CONTENT = (naming.DIGEST_ANNOTATION, naming.RESULTS_ANNOTATION)

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Sent:
    """A workflow that is on the cluster. `created` is False where another submission of the same content came first."""

    name: str
    uid: str
    created: bool = True


class _Leaving(AlreadyExists):
    """A workflow of the name is on its way out."""


def check(cluster: Cluster, workflow: Object) -> None:
    """See that Argo's models and the API would take the workflow; nothing is changed.

    Raises:
        UserError: hera-workflows' models or the API refuse a field.
        AlreadyExists: a workflow of its name is there.
        Forbidden, Unreachable: the API was not to be had.
    """
    if problems := list(refused_fields(workflow)):
        raise UserError(problems)
    _again(lambda: cluster.create(WORKFLOW, workflow, dry_run=True), _SHORT_PATIENCE)


def send(cluster: Cluster, workflow: Object, patience: float = PATIENCE) -> Sent:
    """Create the workflow in the cluster's namespace, once: its name is that of the training's attempt.

    Each submission signs with a number drawn at random. Where an answer is lost, the workflow is created again under the same
    name and signature: either the first creation was not carried out, or the API says that the name is taken, and the
    signature tells by whom. This goes on for `patience` seconds; so long it also waits for a workflow that is being deleted.

    Raises:
        UserError: hera-workflows' models or the API refuse a field.
        AlreadyExists: a workflow of this name has other content, or is being deleted and does not go.
        Forbidden: the account may not create workflows.
        Unreachable: the API was not to be had. The message says so where it is not known whether the workflow was created.
    """
    signed = _signed(workflow, cluster.namespace)
    with suppress(AlreadyExists):
        check(cluster, signed)
    try:
        return _again(lambda: _create(cluster, signed), patience)
    except Unreachable as error:
        raise Unreachable(
            f"it is not known whether workflow {signed['metadata']['name']!r} was created: {error.problems[0].message}",
            hint="submit it again later; it does not run twice",
        ) from error


def _signed(workflow: Object, namespace: str) -> Object:
    metadata = workflow["metadata"]
    annotations = {**metadata.get("annotations", {}), naming.SUBMISSION_ANNOTATION: uuid.uuid4().hex}
    return {**workflow, "metadata": {**metadata, "namespace": namespace, "annotations": annotations}}


def _again(work: Callable[[], T], patience: float) -> T:
    until = time.monotonic() + patience
    waits = pauses(0.5, 8)
    while True:
        try:
            return work()
        except (Unreachable, _Leaving):
            pause = next(waits)
            if time.monotonic() + pause > until:
                raise
        time.sleep(pause)


def _create(cluster: Cluster, signed: Object) -> Sent:
    try:
        return _sent(cluster.create(WORKFLOW, signed), created=True)
    except AlreadyExists:
        return _found(cluster, signed)


def _found(cluster: Cluster, signed: Object) -> Sent:
    """The workflow that is there instead: our own, or another of the same content."""
    name = signed["metadata"]["name"]
    try:
        there = cluster.get(WORKFLOW, name)
    except NotFound:
        raise _Leaving(f"workflow {name!r} was there, and is gone again", "try again") from None
    theirs, ours = there["metadata"].get("annotations") or {}, signed["metadata"]["annotations"]
    if there["metadata"].get("deletionTimestamp"):
        raise _Leaving(
            f"workflow {name!r} is being deleted, and is still there",
            hint=f"try again later; `kubectl get workflow {name} -o yaml` shows the finalizers it waits for",
        )
    if theirs.get(naming.SUBMISSION_ANNOTATION) == ours[naming.SUBMISSION_ANNOTATION]:
        return _sent(there, created=True)
    if all(theirs.get(each) == ours.get(each) for each in _CONTENT):
        return _sent(there, created=False)
    raise AlreadyExists(
        f"workflow {name!r} is there already, with other content: somebody else submitted it first",
        hint="odahu-argo train get shows what there is; then try again",
    )


def _sent(workflow: Object, created: bool) -> Sent:
    return Sent(str(workflow["metadata"]["name"]), str(workflow["metadata"].get("uid", "")), created)


def plan_on(cluster: Cluster, manifests: Manifests, settings: Profile, training_id: str | None = None) -> list[Plan]:
    """A plan for each training of the manifests, or for the one called `training_id`.

    A toolchain is taken from the manifests, else from the cluster, else it is built in. Connections that no manifest holds
    are the cluster's; whether their Secrets are there is for `submit.preflight` to see.

    Raises:
        UserError: with every problem at once.
        Unreachable: the API does not answer.
    """
    trainings = [each.manifest for each in manifests.trainings]
    with suppress(Forbidden):
        wanted = {training.spec.toolchain for training in trainings}
        own = {each.manifest.id for each in manifests.toolchains}
        manifests = replace(manifests, registered=registered_toolchains(cluster, wanted - own))
    names = tuple(name for training in trainings for name in connection_names(training, settings))
    return plan_trainings(manifests, settings.with_external(names), training_id)
