"""Argo's Workflows to the attempts of trainings."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from odahu_argo import naming
from odahu_argo.kube.cluster import Object
from odahu_argo.status.state import NO_WARNINGS, read_status
from odahu_argo.trainings.model import Attempt

SELECTOR = {naming.MANAGED_BY_LABEL: naming.MANAGED_BY}


def training_id(workflow: Object) -> str:
    """The training that a workflow carries out; empty where it carries out none."""
    return str(_entries(workflow, "labels").get(naming.TRAINING_ID_LABEL, ""))


@dataclass(frozen=True, slots=True)
class Run:
    """What is kept of a workflow: the training it carries out (empty where it is none), and the attempt.

    The attempt's number stands when all workflows of the training are known (`attempts`); `number` is the workflow's own, if
    it has one. `is_given_up`: it is being removed with its training, so that nothing is to be remembered.
    """

    training_id: str
    number: int | None
    attempt: Attempt
    is_given_up: bool


def read_run(workflow: Object, now: str, warnings: Mapping[str, str] = NO_WARNINGS) -> Run:
    """What a workflow says at `now`; `warnings` are what Kubernetes has warned of pods, by their names."""
    return Run(
        training_id(workflow),
        _own_number(workflow),
        _attempt(workflow, now, warnings),
        naming.DELETED_ANNOTATION in _entries(workflow, "annotations"),
    )


def attempts(runs: Iterable[Run], known: Sequence[Attempt]) -> list[Attempt]:
    """The runs of a training as attempts with their numbers; `known` are its attempts that are remembered.

    A workflow that was rendered for git, or begun by a schedule, has no number of its own: it keeps the one it is
    remembered by, else it gets the next, in the order in which workflows were created.
    """
    listed = list(runs)
    own = {each.attempt.uid: each.number for each in listed if each.number is not None}
    remembered = {each.uid: each.number for each in known if each.number not in own.values()}
    numbers = {**remembered, **own}
    for each in sorted(listed, key=_age):
        if each.attempt.uid not in numbers:
            highest = max([*numbers.values(), *(one.number for one in known)], default=0)
            numbers[each.attempt.uid] = highest + 1
    return [replace(each.attempt, number=numbers[each.attempt.uid]) for each in listed]


def _attempt(workflow: Object, now: str, warnings: Mapping[str, str]) -> Attempt:
    metadata = workflow["metadata"]
    annotations = _entries(workflow, "annotations")
    return Attempt(
        number=0,
        workflow=str(metadata.get("name", "")),
        uid=str(metadata.get("uid", "")),
        created=str(metadata.get("creationTimestamp") or now),
        digest=str(annotations.get(naming.DIGEST_ANNOTATION, "")),
        spec=_spec(annotations.get(naming.SPEC_ANNOTATION), _entries(workflow, "labels")),
        status=read_status(workflow, warnings),
        seen=now,
        resumes=naming.RESULTS_ANNOTATION in annotations,
    )


def by_training(runs: Iterable[Run]) -> dict[str, list[Run]]:
    """The runs of each training, without those that are removed with it."""
    found: dict[str, list[Run]] = {}
    for run in runs:
        if run.training_id and not run.is_given_up:
            found.setdefault(run.training_id, []).append(run)
    return found


def _entries(workflow: Object, name: str) -> dict[str, Any]:
    entries = workflow["metadata"].get(name)
    return entries if isinstance(entries, dict) else {}


def _own_number(workflow: Object) -> int | None:
    """The number in a workflow's label, else at the end of its name, unless that is a digest or a time."""
    label = _entries(workflow, "labels").get(naming.ATTEMPT_LABEL)
    refers = "workflowTemplateRef" in (workflow.get("spec") or {})
    written = str(label) if label is not None else str(workflow["metadata"].get("name", "")).rpartition("-")[2]
    is_number = re.fullmatch(r"[0-9]{1,9}", written) and (label is not None or not refers)
    return int(written) if is_number else None


def _age(run: Run) -> tuple[str, str]:
    return run.attempt.created, run.attempt.workflow


def _spec(annotation: object, labels: dict[str, Any]) -> dict[str, Any]:
    """The spec as its author wrote it, else what the labels say of it."""
    try:
        spec = json.loads(str(annotation))
    except ValueError:
        spec = None
    if isinstance(spec, dict):
        return spec
    model = {"name": labels.get(naming.MODEL_NAME_LABEL, ""), "version": labels.get(naming.MODEL_VERSION_LABEL, "")}
    return {"model": model, "toolchain": labels.get(naming.TOOLCHAIN_LABEL, "")}
