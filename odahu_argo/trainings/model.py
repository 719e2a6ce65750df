"""A training of a cluster: what its author asked for, and what became of each attempt."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from odahu_argo.status.model import Status, StepStatus


@dataclass(frozen=True, slots=True)
class Attempt:
    """One run of a training. Times are UTC in RFC 3339; `seen` is when `status` was read.

    `workflow` and `uid` are those of Argo's Workflow; `is_gone` says that it is no longer on the cluster, `resumes` that it
    goes on in the workspace of the attempt before.
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


@dataclass(frozen=True, slots=True)
class Training:
    """A training by its id, with its attempts from the first to the newest. There is always one."""

    id: str
    attempts: tuple[Attempt, ...]

    @property
    def newest(self) -> Attempt:
        """The attempt that counts; the others are history."""
        return self.attempts[-1]

    @property
    def status(self) -> Status:
        """What became of the newest attempt."""
        return self.newest.status

    @property
    def created(self) -> str:
        """When it was first submitted, as far as that is remembered."""
        return self.attempts[0].created

    @property
    def updated(self) -> str:
        """When its newest attempt was submitted, or ended."""
        return self.status.finished or self.newest.created

    @property
    def steps_by_attempt(self) -> tuple[tuple[Attempt, tuple[StepStatus, ...]], ...]:
        """The attempts that the newest goes on from, and the newest, each with those of its steps that were not run again."""
        counted: set[str] = set()
        found: list[tuple[Attempt, tuple[StepStatus, ...]]] = []
        for attempt in reversed(self.attempts):
            found.insert(0, (attempt, tuple(step for step in attempt.status.steps if step.name not in counted)))
            counted.update(step.name for step in attempt.status.steps)
            if not attempt.resumes:
                break
        return tuple(found)

    @property
    def steps(self) -> tuple[StepStatus, ...]:
        """All steps, also those that an earlier attempt has done for the newest."""
        return tuple(step for _, steps in self.steps_by_attempt for step in steps)
