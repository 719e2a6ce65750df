"""A training with its attempts, as every backend returns it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from odahu_argo.status.model import Status, StepStatus
from odahu_argo.status.unstructured import get_path


@dataclass(frozen=True, slots=True)
class LocalRun:
    """Details of an attempt that ran on this machine.

    Attributes:
        reason: Why the attempt failed or is unknown, one sentence; empty otherwise.
        updated: Time of the last change, UTC in ISO 8601.
        artifact_uri: URI of the trained model; empty until the training succeeded.
        logs: Directory that contains one log file per step.
        mlflow_command: Command that shows the MLflow records.
    """

    reason: str = ""
    updated: str = ""
    artifact_uri: str = ""
    logs: str = ""
    mlflow_command: str = ""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One run of a training. Times are UTC in RFC 3339.

    Attributes:
        number: Position in the training's history, from 1; 0 if an API server does not report it.
        workflow: Name of the Argo Workflow; empty on this machine.
        uid: UID of the Workflow, the identity of the run.
        created: Time of submission.
        digest: Digest of the plan; two attempts with the same digest do the same work.
        spec: Specification of the training as its author wrote it.
        status: Status when it was last read.
        seen: Time at which `status` was read.
        is_gone: Whether the Workflow no longer exists on the cluster.
        resumes: Whether the attempt continues in the workspace of the previous one.
        local: Details of a run on this machine; None on a cluster.
    """

    number: int
    workflow: str
    uid: str
    created: str
    digest: str
    spec: Mapping[str, Any]
    status: Status
    seen: str
    is_gone: bool = False
    resumes: bool = False
    local: LocalRun | None = None

    @property
    def model_name(self) -> str:
        """Name of the model."""
        return _text(get_path(self.spec, "model", "name"))

    @property
    def model_version(self) -> str:
        """Version of the model."""
        return _text(get_path(self.spec, "model", "version"))

    @property
    def toolchain(self) -> str:
        """ID of the toolchain."""
        return _text(self.spec.get("toolchain"))


@dataclass(frozen=True, slots=True)
class Training:
    """A training and its attempts, oldest first. There is at least one attempt.

    `document` is the training as an API server returned it; None on other backends.
    """

    id: str
    attempts: tuple[Attempt, ...]
    document: Mapping[str, Any] | None = None

    @property
    def newest(self) -> Attempt:
        """The current attempt; the others are history."""
        return self.attempts[-1]

    @property
    def status(self) -> Status:
        """Status of the newest attempt."""
        return self.newest.status

    @property
    def is_live(self) -> bool:
        """Whether the training is scheduling or running."""
        return self.status.state in ("scheduling", "running")

    @property
    def created(self) -> str:
        """Time of the first submission in the recorded history."""
        return self.attempts[0].created

    @property
    def updated(self) -> str:
        """Time of the last change: when the newest attempt was submitted or ended."""
        if self.newest.local is not None:
            return self.newest.local.updated
        return self.status.finished or self.newest.created

    @property
    def steps_by_attempt(self) -> tuple[tuple[Attempt, tuple[StepStatus, ...]], ...]:
        """The newest attempt and the attempts it resumes, oldest first, each with the steps that no later attempt repeats."""
        repeated: set[str] = set()
        steps: list[tuple[Attempt, tuple[StepStatus, ...]]] = []
        for attempt in reversed(self.attempts):
            steps.insert(0, (attempt, tuple(step for step in attempt.status.steps if step.name not in repeated)))
            repeated.update(step.name for step in attempt.status.steps)
            if not attempt.resumes:
                break
        return tuple(steps)

    @property
    def steps(self) -> tuple[StepStatus, ...]:
        """All steps, including the completed steps of resumed attempts.

        The Workflow of a resumed attempt lists only the remaining steps, so `needs` combines those of all attempts.
        """
        needs: dict[str, dict[str, None]] = {}
        for attempt, _ in self.steps_by_attempt:
            for step in attempt.status.steps:
                needs.setdefault(step.name, {}).update(dict.fromkeys(step.needs))
        return tuple(
            replace(step, needs=tuple(needs[step.name])) for _, steps in self.steps_by_attempt for step in steps
        )


def _text(value: object) -> str:
    return "" if value is None else str(value)
