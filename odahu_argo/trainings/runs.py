"""Argo Workflows as runs of trainings, and runs combined with the recorded history."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from odahu_argo import naming
from odahu_argo.kube.cluster import Object
from odahu_argo.status.model import Status
from odahu_argo.status.queues import QueuedPod
from odahu_argo.status.snapshot import NO_QUEUED_PODS
from odahu_argo.status.state import NO_WARNINGS, read_status
from odahu_argo.trainings.model import Attempt, Training

SELECTOR = {naming.MANAGED_BY_LABEL: naming.MANAGED_BY}


@dataclass(frozen=True, slots=True)
class WorkflowRun:
    """A Workflow read as the attempt of a training.

    Attributes:
        training_id: ID of the training; empty if the Workflow does not belong to one.
        number: Attempt number that the Workflow itself carries. `number_attempts` numbers the others.
        attempt: The attempt; its number is not set.
        is_deleted: Whether the Workflow is being deleted together with its training.
    """

    training_id: str
    number: int | None
    attempt: Attempt
    is_deleted: bool


def read_run(
    workflow: Object,
    now: str,
    warnings: Mapping[str, str] = NO_WARNINGS,
    queued: Mapping[str, QueuedPod] = NO_QUEUED_PODS,
) -> WorkflowRun:
    """Read a Workflow at the time `now`. `warnings` and `queued` are those of `read_status`."""
    return WorkflowRun(
        training_id(workflow),
        _number(workflow),
        _attempt(workflow, now, read_status(workflow, warnings, queued)),
        naming.DELETED_ANNOTATION in _entries(workflow, "annotations"),
    )


def training_id(item: Object) -> str:
    """Return the ID of the training that a Workflow or record belongs to, or an empty string."""
    return str(_entries(item, "labels").get(naming.TRAINING_ID_LABEL, ""))


def runs_by_training(runs: Iterable[WorkflowRun]) -> dict[str, list[WorkflowRun]]:
    """Group runs by training, without Workflows that are being deleted with their training."""
    grouped: dict[str, list[WorkflowRun]] = {}
    for run in runs:
        if run.training_id and not run.is_deleted:
            grouped.setdefault(run.training_id, []).append(run)
    return grouped


def combine(training_id: str, runs: Collection[WorkflowRun], recorded: Training | None) -> Training | None:
    """Return the training made of its runs on the cluster and its recorded attempts, or None if there are neither.

    A recorded attempt without a Workflow is marked as gone.
    """
    history = recorded.attempts if recorded else ()
    attempts = {attempt.number: attempt for attempt in number_attempts(runs, history)}
    for attempt in history:
        if attempt.number not in attempts:
            attempts[attempt.number] = mark_gone(attempt)
    return Training(training_id, tuple(attempts[number] for number in sorted(attempts))) if attempts else None


def number_attempts(runs: Iterable[WorkflowRun], recorded: Sequence[Attempt]) -> list[Attempt]:
    """Return the runs of a training as numbered attempts.

    A Workflow that was rendered for Git or started by a schedule carries no number. It keeps its recorded number, or gets
    the next one, in the order in which Workflows were created.
    """
    listed = list(runs)
    own = {run.attempt.uid: run.number for run in listed if run.number is not None}
    numbers = {attempt.uid: attempt.number for attempt in recorded if attempt.number not in own.values()} | own
    for run in sorted(listed, key=lambda run: (run.attempt.created, run.attempt.workflow)):
        if run.attempt.uid not in numbers:
            numbers[run.attempt.uid] = 1 + max([*numbers.values(), *(one.number for one in recorded)], default=0)
    return [replace(run.attempt, number=numbers[run.attempt.uid]) for run in listed]


def mark_gone(attempt: Attempt) -> Attempt:
    """Return a recorded attempt whose Workflow no longer exists. If it had not ended, its state becomes `unknown`."""
    if attempt.status.has_ended or attempt.is_gone:
        return replace(attempt, is_gone=True)
    last = attempt.status
    unknown = Status(
        state="unknown",
        reason="Gone",
        message=f"workflow {attempt.workflow} was deleted; its state at {attempt.seen} was {last.state}",
        hint="start a new run: odahu-argo train edit -f FILE",
        step=last.step,
        started=last.started,
        artifacts=last.artifacts,
        steps=last.steps,
        phase=last.phase,
    )
    return replace(attempt, status=unknown, is_gone=True)


def _attempt(workflow: Object, now: str, status: Status) -> Attempt:
    metadata = workflow["metadata"]
    annotations = _entries(workflow, "annotations")
    return Attempt(
        number=0,
        workflow=str(metadata.get("name", "")),
        uid=str(metadata.get("uid", "")),
        created=str(metadata.get("creationTimestamp") or now),
        digest=str(annotations.get(naming.DIGEST_ANNOTATION, "")),
        spec=_spec(annotations.get(naming.SPEC_ANNOTATION), _entries(workflow, "labels")),
        status=status,
        seen=now,
        resumes=naming.RESULTS_ANNOTATION in annotations,
    )


def _number(workflow: Object) -> int | None:
    """Return the number in the label, or else at the end of the name unless that is a digest or a time."""
    label = _entries(workflow, "labels").get(naming.ATTEMPT_LABEL)
    is_referring = "workflowTemplateRef" in (workflow.get("spec") or {})
    text = str(label) if label is not None else str(workflow["metadata"].get("name", "")).rpartition("-")[2]
    is_number = re.fullmatch(r"[0-9]{1,9}", text) and (label is not None or not is_referring)
    return int(text) if is_number else None


def _spec(annotation: object, labels: dict[str, Any]) -> dict[str, Any]:
    """Return the specification in the annotation, or else what the labels contain of it."""
    try:
        spec = json.loads(str(annotation))
    except ValueError:
        spec = None
    if isinstance(spec, dict):
        return spec
    model = {"name": labels.get(naming.MODEL_NAME_LABEL, ""), "version": labels.get(naming.MODEL_VERSION_LABEL, "")}
    return {"model": model, "toolchain": labels.get(naming.TOOLCHAIN_LABEL, "")}


def _entries(item: Object, name: str) -> dict[str, Any]:
    entries = item["metadata"].get(name)
    return entries if isinstance(entries, dict) else {}
