"""A compiled workflow to the cluster, exactly once."""

from __future__ import annotations

import random
import time
import uuid
from dataclasses import dataclass

from odahu_argo import naming
from odahu_argo.compile.argo_schema import refused_fields
from odahu_argo.errors import UserError
from odahu_argo.submit.cluster import WORKFLOW, AlreadyExists, Cluster, NotFound, Object, Unreachable

TRIES = 6
FIRST_WAIT = 0.5
"""Seconds, doubled each time."""


@dataclass(frozen=True, slots=True)
class Sent:
    """A workflow that is on the cluster. `created` is False where another submission of the same content came first."""

    name: str
    uid: str
    created: bool = True


def check(cluster: Cluster, workflow: Object) -> None:
    """See that Argo's models and the API would take the workflow; nothing is changed.

    Raises:
        UserError: hera-workflows' models or the API refuse a field.
        AlreadyExists: a workflow of its name is there.
        Denied, Unreachable: the API was not to be had.
    """
    if problems := list(refused_fields(workflow)):
        raise UserError(problems)
    cluster.create(WORKFLOW, workflow, dry_run=True)


def send(cluster: Cluster, workflow: Object) -> Sent:
    """Create the workflow. Its name is that of the training's attempt, so two submissions give one run.

    Each submission signs with a number drawn at random. Where an answer is lost, the signature tells whether the workflow
    that is there is the one that was sent.

    Raises:
        UserError: hera-workflows' models or the API refuse a field.
        AlreadyExists: a workflow of this name but with other content was first.
        Denied, Unreachable: the API was not to be had; nothing was submitted, as far as can be known.
    """
    annotations = {**workflow["metadata"].get("annotations", {}), naming.SUBMISSION_ANNOTATION: uuid.uuid4().hex}
    signed = {**workflow, "metadata": {**workflow["metadata"], "annotations": annotations}}
    try:
        check(cluster, signed)
    except AlreadyExists:
        return _found(cluster, signed)
    for attempt in range(1, TRIES + 1):
        try:
            return _sent(cluster.create(WORKFLOW, signed), created=True)
        except AlreadyExists:
            return _found(cluster, signed)
        except Unreachable:
            if attempt == TRIES:
                raise
            time.sleep(FIRST_WAIT * 2**attempt * random.uniform(0.5, 1))
    raise AssertionError


def _found(cluster: Cluster, signed: Object) -> Sent:
    """The workflow that is there instead: our own, or another of the same content."""
    name = signed["metadata"]["name"]
    try:
        there = cluster.get(WORKFLOW, name)
    except NotFound:
        raise _other(name, "was there, and is gone again") from None
    theirs, ours = there["metadata"].get("annotations") or {}, signed["metadata"]["annotations"]
    if there["metadata"].get("deletionTimestamp"):
        raise _other(name, "is being deleted")
    if theirs.get(naming.SUBMISSION_ANNOTATION) == ours[naming.SUBMISSION_ANNOTATION]:
        return _sent(there, created=True)
    if theirs.get(naming.DIGEST_ANNOTATION) == ours.get(naming.DIGEST_ANNOTATION):
        return _sent(there, created=False)
    raise _other(name, "is there already, with other content: somebody else submitted it first")


def _other(name: str, what: str) -> AlreadyExists:
    return AlreadyExists(f"workflow {name!r} {what}", hint="odahu-argo train get shows what there is; then try again")


def _sent(workflow: Object, created: bool) -> Sent:
    return Sent(str(workflow["metadata"]["name"]), str(workflow["metadata"].get("uid", "")), created)
