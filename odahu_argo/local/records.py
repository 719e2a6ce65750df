"""What is remembered of a training on this machine."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

State = Literal["scheduling", "running", "succeeded", "failed", "unknown"]
StepState = Literal["waiting", "running", "succeeded", "failed", "stopped", "skipped", "unknown"]
"""`stopped`: ended because another step failed or the user interrupted; `skipped`: its turn never came."""

LIVE_STATES: tuple[State, ...] = ("scheduling", "running")
LOST = "the process that ran it ended without leaving a result"


@dataclass(frozen=True, slots=True)
class StepRecord:
    """One step. Times are UTC in ISO 8601; `exit_code` is None until it ended, and where it was stopped."""

    name: str
    state: StepState = "waiting"
    exit_code: int | None = None
    message: str = ""
    started: str = ""
    finished: str = ""


@dataclass(frozen=True, slots=True)
class Training:
    """One training: its last run. Times are UTC in ISO 8601.

    `digest` tells plans apart, `output` is the address that its zip goes to, `spec` what the manifest says, as JSON; it is
    empty for trainings of before that was kept.
    """

    id: str
    model_name: str
    model_version: str
    toolchain: str
    state: State
    created: str
    updated: str
    digest: str
    output: str
    reason: str = ""
    exit_code: int | None = None
    run_id: str = ""
    artifact_name: str = ""
    commit_id: str = ""
    spec: str = ""
    steps: tuple[StepRecord, ...] = ()

    @property
    def is_live(self) -> bool:
        """Whether it had not ended when this was written."""
        return self.state in LIVE_STATES

    @property
    def failed_step(self) -> StepRecord | None:
        """The step that failed."""
        return next((step for step in self.steps if step.state == "failed"), None)

    @property
    def artifact_uri(self) -> str:
        """Where the zip lies; empty until the training succeeded."""
        return f"{self.output.rstrip('/')}/{self.artifact_name}" if self.state == "succeeded" else ""

    def lost(self) -> Training:
        """The same training when its process is gone without a word."""
        steps = tuple(replace(step, state="unknown") if step.state == "running" else step for step in self.steps)
        return replace(self, state="unknown", reason=f"{LOST}; run it again with --resume", steps=steps)
