"""Fuzz targets with their invariants. They do not need atheris, so that regular tests can run regression inputs."""

from __future__ import annotations

import json
from typing import Any, get_args

from odahu_argo import build_plans, compile_workflow, document, resolve
from odahu_argo.compile.emit import to_yaml
from odahu_argo.errors import OdahuArgoError
from odahu_argo.manifest.load import parse_documents
from odahu_argo.odahu_api import status_to_api
from odahu_argo.profile import Profile
from odahu_argo.status.model import State, Status
from odahu_argo.status.state import read_status
from tests.unit.status.recordings import NAMES, recording

MAX_ERROR_LENGTH = 300_000
MAX_WORKFLOWS_LENGTH = 20 * 1024 * 1024
MAX_STATUS_LENGTH = 2 * 1024 * 1024
RUN_NAME = "{name: ODAHU_ARGO_RUN, value: '{{workflow.name}}'}"
"""The only expansion by Argo that workflows contain on purpose."""
_REPLACEMENTS: list[Any] = [
    None,
    True,
    -1,
    10**400,
    1e308,
    "",
    "Failed",
    "Running",
    "Pod",
    "{{x}}",
    "\ud800",
    [],
    {},
    [[]],
    {"a": {}},
]
_REPLACEMENTS += ["x" * 5000, "Error (exit code 137)", "2026-01-01T00:00:00Z", "99999999999999/0"]


def loader(data: bytes) -> None:
    """Process the bytes of a manifest as far as possible: documents, manifests, plans, workflows."""
    text = data.decode("utf-8", "replace")
    try:
        documents = [item for found in document.parse(text, "fuzz.yaml") for item in found.items()]
        manifests = parse_documents(documents)
        require_messages(manifests.problems, manifests.warnings)
        if manifests.problems:
            return
        plans = build_plans(resolve(manifests, Profile()), Profile())
        workflows = to_yaml(compile_workflow(plan) for plan in plans)
    except OdahuArgoError as error:
        require_messages(error.problems)
        require(len(str(error)) < MAX_ERROR_LENGTH, "the error is too long")
        return
    require(len(workflows) < MAX_WORKFLOWS_LENGTH, "the workflows are too long")
    require("{{" not in workflows.replace(RUN_NAME, ""), "user text became Argo syntax")


def status(data: bytes) -> None:
    """Read the status of JSON of any shape or, if the bytes are not JSON, of a recording that they modify."""
    try:
        workflow = json.loads(data)
    except (ValueError, RecursionError):
        workflow = modify_recording(data)
    require_status(read_status(workflow))


def modify_recording(data: bytes) -> Any:
    """Return the recording selected by the first byte; each further three bytes replace one of its values."""
    if not data:
        return {}
    workflow = recording(NAMES[data[0] % len(NAMES)])
    for at in range(1, min(len(data) - 2, 60), 3):
        parent, key = workflow, None
        for step in range(12):
            keys = list(parent) if isinstance(parent, dict) else list(range(len(parent)))
            if not keys:
                break
            key = keys[(data[at] * 31 + data[at + 1] * (step + 7)) % len(keys)]
            if not isinstance(parent[key], dict | list) or not parent[key] or step == data[at + 1] % 12:
                break
            parent = parent[key]
        if key is not None and (isinstance(parent, list) or key in parent):
            parent[key] = json.loads(json.dumps(_REPLACEMENTS[data[at + 2] % len(_REPLACEMENTS)]))
    return workflow


def require_status(status: Status) -> None:
    require(status.state in get_args(State), f"the state is {status.state!r}")
    text = json.dumps(status_to_api(status))
    require(len(text) < MAX_STATUS_LENGTH, "the status is too long")
    require(status.state not in ("failed", "unknown") or bool(status.message), "a failure without a message")


def require_messages(*groups: Any) -> None:
    for problem in (item for group in groups for item in group):
        require(bool(problem.message.strip()), "a problem without a message")


def require(condition: bool, message: str) -> None:
    """Raise AssertionError with a message that atheris shows."""
    if not condition:
        raise AssertionError(message)


TARGETS = {"loader": loader, "status": status}
