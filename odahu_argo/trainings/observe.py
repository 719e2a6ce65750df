"""Argo's Workflows to the attempts of trainings."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from odahu_argo import naming
from odahu_argo.status.state import NO_WARNINGS, read_status
from odahu_argo.submit.cluster import Object
from odahu_argo.trainings.model import Attempt

SELECTOR = {naming.MANAGED_BY_LABEL: naming.MANAGED_BY}


def training_id(workflow: Object) -> str:
    """The training that a workflow carries out; empty where it carries out none."""
    return str(_entries(workflow, "labels").get(naming.TRAINING_ID_LABEL, ""))


def attempts(
    workflows: Iterable[Object], known: Sequence[Attempt], now: str, warnings: Mapping[str, str] = NO_WARNINGS
) -> list[Attempt]:
    """What workflows say of their attempts, read at `now`; `known` are the attempts of the training that are remembered, and
    `warnings` what Kubernetes has warned of pods, by their names.

    A workflow that was rendered for git, or begun by a schedule, has no number of its own: it keeps the one it is
    remembered by, else it gets the next, in the order in which workflows were created.
    """
    listed = list(workflows)
    own = {str(each["metadata"].get("uid", "")): number for each in listed if (number := _own_number(each)) is not None}
    remembered = {each.uid: each.number for each in known if each.number not in own.values()}
    numbers = {**remembered, **own}
    for each in sorted(listed, key=_age):
        uid = str(each["metadata"].get("uid", ""))
        if uid not in numbers:
            numbers[uid] = max([*numbers.values(), *(one.number for one in known)], default=0) + 1
    return [_attempt(each, numbers[str(each["metadata"].get("uid", ""))], now, warnings) for each in listed]


def _attempt(workflow: Object, number: int, now: str, warnings: Mapping[str, str]) -> Attempt:
    metadata = workflow["metadata"]
    annotations = _entries(workflow, "annotations")
    return Attempt(
        number=number,
        workflow=str(metadata.get("name", "")),
        uid=str(metadata.get("uid", "")),
        created=str(metadata.get("creationTimestamp") or now),
        digest=str(annotations.get(naming.DIGEST_ANNOTATION, "")),
        spec=_spec(annotations.get(naming.SPEC_ANNOTATION), _entries(workflow, "labels")),
        status=read_status(workflow, warnings),
        seen=now,
        resumes=naming.RESULTS_ANNOTATION in annotations,
    )


def is_given_up(workflow: Object) -> bool:
    """Whether it is being removed with its training, so that nothing is to be remembered."""
    return naming.DELETED_ANNOTATION in _entries(workflow, "annotations")


def by_training(workflows: Iterable[Object]) -> dict[str, list[Object]]:
    """The workflows of each training, without those that are removed with it."""
    found: dict[str, list[Object]] = {}
    for workflow in workflows:
        if (name := training_id(workflow)) and not is_given_up(workflow):
            found.setdefault(name, []).append(workflow)
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


def _age(workflow: Object) -> tuple[str, str]:
    metadata = workflow["metadata"]
    return str(metadata.get("creationTimestamp", "")), str(metadata.get("name", ""))


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
