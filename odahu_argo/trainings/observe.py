"""Argo's Workflows to the attempts of trainings."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any

from odahu_argo import naming
from odahu_argo.status.state import read_status
from odahu_argo.submit.cluster import Object
from odahu_argo.trainings.model import Attempt

SELECTOR = {naming.MANAGED_BY_LABEL: naming.MANAGED_BY}


def training_id(workflow: Object) -> str:
    """The training that a workflow carries out; empty where it carries out none."""
    return str(_entries(workflow, "labels").get(naming.TRAINING_ID_LABEL, ""))


def attempt(workflow: Object, now: str) -> Attempt:
    """What a workflow says of its attempt, read at `now`."""
    metadata = workflow["metadata"]
    annotations = _entries(workflow, "annotations")
    return Attempt(
        number=_number(_entries(workflow, "labels").get(naming.ATTEMPT_LABEL), str(metadata.get("name", ""))),
        workflow=str(metadata.get("name", "")),
        uid=str(metadata.get("uid", "")),
        created=str(metadata.get("creationTimestamp") or now),
        digest=str(annotations.get(naming.DIGEST_ANNOTATION, "")),
        spec=_spec(annotations.get(naming.SPEC_ANNOTATION), _entries(workflow, "labels")),
        status=read_status(workflow),
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


def _number(label: object, name: str) -> int:
    written = str(label) if label is not None else name.rpartition("-")[2]
    return int(written) if re.fullmatch(r"[0-9]{1,9}", written) else 1


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
