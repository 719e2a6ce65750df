"""What is fuzzed, and what must hold for any input. Nothing here needs atheris, so what it once found stays tested."""

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

LONGEST_TOLD = 300_000
"""Characters that an error may have in all."""
LONGEST_COMPILED = 20 * 1024 * 1024
LONGEST_STATUS = 2 * 1024 * 1024
_NASTY: list[Any] = [
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
_NASTY += ["x" * 5000, "Error (exit code 137)", "2026-01-01T00:00:00Z", "99999999999999/0"]


def loader(data: bytes) -> None:
    """Bytes of a manifest, as far down as it goes: documents, manifests, plans, workflows."""
    text = data.decode("utf-8", "replace")
    try:
        documents = [each for found in document.parse(text, "fuzz.yaml") for each in found.items()]
        manifests = parse_documents(documents)
        require_told(manifests.problems, manifests.warnings)
        if manifests.problems:
            return
        plans = build_plans(resolve(manifests, Profile()), Profile())
        written = to_yaml(compile_workflow(plan) for plan in plans)
    except OdahuArgoError as error:
        require_told(error.problems)
        require(len(str(error)) < LONGEST_TOLD, "an error is endless")
        return
    require(len(written) < LONGEST_COMPILED, "a workflow is endless")
    require("{{" not in written, "text became syntax")


def status(data: bytes) -> None:
    """JSON of any shape, or, where the bytes are none, a recording of Argo that they change."""
    try:
        workflow = json.loads(data)
    except (ValueError, RecursionError):
        workflow = changed(data)
    require_status(read_status(workflow))


def changed(data: bytes) -> Any:
    """A recording, chosen by the first byte, in which each further three bytes put something nasty in some place."""
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
            parent[key] = json.loads(json.dumps(_NASTY[data[at + 2] % len(_NASTY)]))
    return workflow


def require_status(found: Status) -> None:
    require(found.state in get_args(State), f"the state is {found.state!r}")
    shown = json.dumps(status_to_api(found))
    require(len(shown) < LONGEST_STATUS, "a status is endless")
    require(found.state not in ("failed", "unknown") or bool(found.message), "a failure without a word")


def require_told(*groups: Any) -> None:
    for problem in (each for group in groups for each in group):
        require(bool(problem.message.strip()), "a problem without a message")


def require(holds: bool, otherwise: str) -> None:
    """As `assert`, in words that atheris shows."""
    if not holds:
        raise AssertionError(otherwise)


TARGETS = {"loader": loader, "status": status}
