"""The logs of a training that has ended, or as far as they are written: ordered by step and attempt."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from odahu_argo.errors import NotFound, OdahuArgoError, Rejected, Unreachable, UserError
from odahu_argo.kube.cluster import POD, Cluster, Object
from odahu_argo.resources.connection_secret import secret_fields
from odahu_argo.resources.connections import find_connection
from odahu_argo.status.model import PodRun
from odahu_argo.trainings.model import Training
from odahu_argo.validation import nearest

CONTAINER = "main"
WORKFLOW_LABEL = "workflows.argoproj.io/workflow"
NODE_ANNOTATION = "workflows.argoproj.io/node-id"
_OF_ARGO = re.compile(r"^time=\S+ level=\w+ msg=.* argo=true( |$)")
"""Argo's executor writes lines of its own into the container's log."""


def pod_names(cluster: Cluster, workflow: str) -> dict[str, str]:
    """The pods of a workflow that are still there, by the id of their node."""
    pods = cluster.list(POD, {WORKFLOW_LABEL: workflow}).items
    return {node: pod["metadata"]["name"] for pod in pods if (node := _node(pod))}


def own_lines(lines: Iterator[str]) -> Iterator[str]:
    """Without what Argo's executor has printed between them."""
    return (line for line in lines if not _OF_ARGO.match(line))


def archived_lines(cluster: Cluster, connection: str, run: PodRun) -> Iterator[str]:
    """The log that Argo has put into its artifact repository, read by the connection that the profile names.

    Raises:
        UserError: nothing was archived, or the connection does not fit the archive.
        ServiceFault: the object store failed.
    """
    from odahu_argo.storage.factory import open_store
    from odahu_argo.storage.transfer import Copy, download_all

    key = _key(run.archived_log or {})
    if not key:
        raise UserError("its pod is gone, and Argo has archived no log of it")
    store, _ = open_store(_connection(cluster, connection))
    found = store.stat(key)
    if not found:
        raise UserError(f"its pod is gone, and there is no log at {store.url(key)}")
    with tempfile.TemporaryDirectory(prefix="odahu-argo-") as folder:
        file = Path(folder) / "log"
        download_all(store, [Copy(found, file)], lambda count: None, owner="log")
        with file.open(encoding="utf-8", errors="replace") as text:
            yield from (line.rstrip("\n") for line in text)


def _connection(cluster: Cluster, connection: str) -> dict[str, str]:
    try:
        return secret_fields(find_connection(cluster, connection))
    except NotFound as error:
        hint = "argo.log_connection in the profile must name a connection of this namespace; odahu-argo conn get lists them"
        message = (
            f"archived logs cannot be read: there is no connection {connection!r} in namespace {cluster.namespace}"
        )
        raise UserError(message, hint=hint) from error


def _key(artifact: Mapping[str, Any]) -> str:
    """The object's key, in whichever store Argo says it is."""
    for store, field in (("s3", "key"), ("gcs", "key"), ("azure", "blob")):
        place = artifact.get(store)
        if isinstance(place, dict) and place.get(field):
            return str(place[field])
    return ""


def _node(pod: Object) -> str:
    return str((pod["metadata"].get("annotations") or {}).get(NODE_ANNOTATION, ""))


@dataclass(frozen=True, slots=True)
class Line:
    """One line that a step has printed."""

    step: str
    text: str


@dataclass(frozen=True, slots=True)
class Missing:
    """A log that cannot be read, and why."""

    step: str
    attempt: int
    why: str

    def __str__(self) -> str:
        return f"the log of {self.step}, attempt {self.attempt}, is missing: {self.why}"


def read_logs(
    cluster: Cluster, training: Training, step: str | None = None, log_connection: str | None = None
) -> Iterator[Line | Missing]:
    """Every line that the newest attempt's steps have printed, or only those of `step`.

    A retried training begins with the logs of the attempts whose steps it did not run again.

    Raises:
        UserError: there is no such step.
        Forbidden, Unreachable: pods cannot be listed.
    """
    require_step(training, step)
    for attempt, steps in training.steps_by_attempt:
        pods = {} if attempt.is_gone else pod_names(cluster, attempt.workflow)
        for each in steps:
            if step in (None, each.name):
                for run in each.runs:
                    yield from _lines(cluster, each.name, run, pods.get(run.node_id), log_connection)


def require_step(training: Training, step: str | None) -> None:
    """See that the training has such a step.

    Raises:
        UserError: it has not.
    """
    names = [each.name for each in training.steps]
    if step is not None and step not in names:
        raise UserError(f"training {training.id!r} has no step {step!r}", hint=nearest(step, names))


def _lines(
    cluster: Cluster, step: str, run: PodRun, pod: str | None, log_connection: str | None
) -> Iterator[Line | Missing]:
    try:
        if pod is not None:
            yield from (Line(step, text) for text in own_lines(cluster.pod_log(pod, CONTAINER)))
            return
    except Rejected:
        return
    except Unreachable as error:
        yield Missing(step, run.attempt, error.problems[0].message)
        return
    except NotFound:
        pass
    if run.state in ("waiting", "scheduling", "skipped"):
        return
    if log_connection is None:
        why = "its pod is gone; argo.log_connection in the profile names the store of archived logs"
        yield Missing(step, run.attempt, why)
        return
    try:
        yield from (Line(step, text) for text in own_lines(archived_lines(cluster, log_connection, run)))
    except OdahuArgoError as error:
        yield Missing(step, run.attempt, error.problems[0].message)
