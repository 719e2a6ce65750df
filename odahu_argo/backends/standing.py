"""A training's form read back: what tables and sentences tell of it, whatever it runs on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from odahu_argo.backends.base import Form
from odahu_argo.status.model import ENDED
from odahu_argo.status.unstructured import get_path, integer, mapping, sequence, text


@dataclass(frozen=True, slots=True)
class StepStanding:
    """One step. Times are in ISO 8601, empty where unknown; `tries` is at least 1."""

    name: str
    state: str
    message: str
    started: str
    finished: str
    tries: int


@dataclass(frozen=True, slots=True)
class Standing:
    """How a training stands. Every text may be empty; `created` is when its newest run was submitted."""

    id: str
    state: str
    reason: str
    message: str
    hint: str
    exit_code: int | None
    step: str
    model: str
    version: str
    created: str
    seen: str
    attempt: str
    workflow: str
    run_id: str
    artifact_name: str
    commit_id: str
    steps: tuple[StepStanding, ...]

    @property
    def has_ended(self) -> bool:
        """Whether nothing more will happen."""
        return self.state in ENDED


def standing(form: Form) -> Standing:
    """What the form says; what it does not have is empty."""
    status = mapping(form.get("status"))
    ours = mapping(status.get("argo") or status.get("local"))
    artifacts = sequence(status.get("artifacts"))
    left = mapping(artifacts[-1]) if artifacts else {}
    steps = tuple(_step(mapping(each)) for each in sequence(ours.get("steps")))
    failed = next((each for each in steps if each.state == "failed"), None)
    return Standing(
        id=text(form.get("id")),
        state=text(status.get("state")) or "unknown",
        reason=text(status.get("reason")),
        message=text(status.get("message")) or (failed.message if failed else ""),
        hint=text(ours.get("hint")),
        exit_code=integer(status.get("exitCode")),
        step=text(ours.get("step")) or (failed.name if failed else ""),
        model=_scalar(get_path(form, "spec", "model", "name")),
        version=_scalar(get_path(form, "spec", "model", "version")),
        created=text(ours.get("createdAt")) or text(form.get("createdAt")),
        seen=text(ours.get("seen")),
        attempt=_scalar(ours.get("attempt")),
        workflow=text(ours.get("workflow")),
        run_id=text(left.get("runId")),
        artifact_name=text(left.get("artifactName")),
        commit_id=text(left.get("commitID")),
        steps=steps,
    )


def _step(form: Any) -> StepStanding:
    return StepStanding(
        name=text(form.get("name")),
        state=text(form.get("state")),
        message=text(form.get("message")),
        started=text(form.get("startedAt")),
        finished=text(form.get("finishedAt")),
        tries=max(1, len(sequence(form.get("attempts")))),
    )


def _scalar(value: object) -> str:
    return "" if value is None else str(value)
