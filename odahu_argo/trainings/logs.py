"""Read the logs of a training's steps, from pods and from Argo's archive, ordered by step and attempt."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from odahu_argo.contract import PREPARE
from odahu_argo.errors import NotFound, OdahuArgoError, Rejected, Unreachable, UserError
from odahu_argo.kube.cluster import POD, Cluster, Object
from odahu_argo.resources.connection_secret import secret_fields
from odahu_argo.resources.connections import find_connection
from odahu_argo.status.model import PodRun
from odahu_argo.trainings.events import LogEvent, LogLine, LogNote
from odahu_argo.trainings.model import Training
from odahu_argo.validation import suggest

CONTAINER = "main"
WORKFLOW_LABEL = "workflows.argoproj.io/workflow"
NODE_ANNOTATION = "workflows.argoproj.io/node-id"
_EXECUTOR_LINE = re.compile(r"^time=\S+ level=\w+ msg=.* argo=true( |$)")
"""Argo's executor writes its own lines into the container's log."""


def read_logs(
    cluster: Cluster, training: Training, step: str | None = None, log_connection: str | None = None
) -> Iterator[LogEvent]:
    """Yield the lines of the newest attempt's steps, or of one step, and a note for each log that cannot be read.

    For a resumed training, the logs of steps that an earlier attempt completed come first. `log_connection` is the connection
    to Argo's archive, which has the logs of deleted pods.

    Raises:
        UserError: The training has no such step.
        Forbidden, Unreachable: Pods cannot be listed.
    """
    require_step(training, step)
    for attempt, steps in training.steps_by_attempt:
        pods = {} if attempt.is_gone else pod_names(cluster, attempt.workflow)
        for found in steps:
            if step in (None, found.name):
                for run in found.runs:
                    yield from _read_log(cluster, found.name, run, pods.get(run.node_id), log_connection)


def require_step(training: Training, step: str | None) -> None:
    """Raise UserError if the training does not have the step."""
    names = [found.name for found in training.steps]
    if step is not None and step not in names:
        raise UserError(f"training {training.id!r} has no step {step!r}", hint=suggest(step, names))


def pod_names(cluster: Cluster, workflow: str) -> dict[str, str]:
    """Return the existing pods of a Workflow by the ID of their node."""
    pods = cluster.list(POD, {WORKFLOW_LABEL: workflow}).items
    return {node: pod["metadata"]["name"] for pod in pods if (node := _node_id(pod))}


def step_lines(lines: Iterator[str]) -> Iterator[str]:
    """Drop the lines of Argo's executor."""
    return (line for line in lines if not _EXECUTOR_LINE.match(line))


def missing_log(step: str, run: PodRun, reason: str) -> LogNote:
    """Return the note for a log that cannot be read."""
    return LogNote(f"the log of {step}, attempt {run.attempt}, is missing: {reason}")


def preparation_lines(cluster: Cluster, step: str, pod: str | None) -> Iterator[LogLine]:
    """Yield the log of the init container of a pod whose step has not started; nothing if the pod has none."""
    if pod is None:
        return
    with suppress(NotFound, Rejected, Unreachable):
        yield from (LogLine(step, line) for line in cluster.pod_log(pod, PREPARE))


def _read_log(
    cluster: Cluster, step: str, run: PodRun, pod: str | None, log_connection: str | None
) -> Iterator[LogEvent]:
    try:
        if pod is not None:
            yield from (LogLine(step, line) for line in step_lines(cluster.pod_log(pod, CONTAINER)))
            return
    except Rejected:
        yield from preparation_lines(cluster, step, pod)
        return
    except Unreachable as error:
        yield missing_log(step, run, error.problems[0].message)
        return
    except NotFound:
        pass
    if run.state in ("waiting", "scheduling", "skipped"):
        return
    if log_connection is None:
        yield missing_log(
            step, run, "its pod was deleted; to read archived logs, set argo.log_connection in the profile"
        )
        return
    try:
        yield from (LogLine(step, line) for line in step_lines(_archived_lines(cluster, log_connection, run)))
    except OdahuArgoError as error:
        yield missing_log(step, run, error.problems[0].message)


def _archived_lines(cluster: Cluster, connection: str, run: PodRun) -> Iterator[str]:
    """Yield a log from Argo's artifact repository.

    Raises:
        UserError: The log was not archived, or the connection does not match the archive.
        ServiceFault: The object store failed.
    """
    from odahu_argo.storage.factory import open_store
    from odahu_argo.storage.transfer import Copy, download_all

    key = _object_key(run.archived_log or {})
    if not key:
        raise UserError("its pod was deleted, and Argo did not archive its log")
    store, _ = open_store(_connection_fields(cluster, connection))
    archived = store.stat(key)
    if not archived:
        raise UserError(f"its pod was deleted, and {store.url(key)} does not exist")
    with tempfile.TemporaryDirectory(prefix="odahu-argo-") as folder:
        file = Path(folder) / "log"
        download_all(store, [Copy(archived, file)], lambda count: None, owner="log")
        with file.open(encoding="utf-8", errors="replace") as lines:
            yield from (line.rstrip("\n") for line in lines)


def _connection_fields(cluster: Cluster, connection: str) -> dict[str, str]:
    try:
        return secret_fields(find_connection(cluster, connection))
    except NotFound as error:
        raise UserError(
            f"cannot read archived logs: connection {connection!r} does not exist in namespace {cluster.namespace}",
            hint="set argo.log_connection in the profile to a connection that odahu-argo conn get lists",
        ) from error


def _object_key(artifact: Mapping[str, Any]) -> str:
    """Return the key of an artifact in S3, Google Cloud Storage or Azure Blob Storage."""
    for store, field in (("s3", "key"), ("gcs", "key"), ("azure", "blob")):
        location = artifact.get(store)
        if isinstance(location, dict) and location.get(field):
            return str(location[field])
    return ""


def _node_id(pod: Object) -> str:
    return str((pod["metadata"].get("annotations") or {}).get(NODE_ANNOTATION, ""))
