"""Status of a training in ODAHU's terms. A *state* is ODAHU's, a *phase* is Argo's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

State = Literal["scheduling", "running", "succeeded", "failed", "unknown"]
StepState = Literal["waiting", "scheduling", "running", "succeeded", "failed", "stopped", "skipped", "unknown"]
"""`waiting`: an earlier step has not finished; `scheduling`: the pod has not started; `stopped`: ended because another step
failed (only on this machine); `skipped`: the step never ran."""

ENDED: tuple[State, ...] = ("succeeded", "failed")


@dataclass(frozen=True, slots=True)
class PodRun:
    """One pod of a step. Attempts count from 1.

    Times are RFC 3339 timestamps as Kubernetes writes them, or empty. `archived_log` is Argo's artifact entry for the
    archived log, if any; `pod` is the pod's name.
    """

    node_id: str
    attempt: int
    state: StepState
    message: str = ""
    exit_code: int | None = None
    started: str = ""
    finished: str = ""
    archived_log: Mapping[str, Any] | None = None
    pod: str = ""


@dataclass(frozen=True, slots=True)
class StepStatus:
    """Status of one step, with its pods in order of attempt.

    `progress` is between 0 and 1. `needs` lists the steps of the same workflow that this step depends on.
    """

    name: str
    state: StepState = "waiting"
    message: str = ""
    exit_code: int | None = None
    started: str = ""
    finished: str = ""
    progress: float | None = None
    runs: tuple[PodRun, ...] = ()
    needs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Artifacts:
    """Results of a training. A field is empty until its value is known."""

    run_id: str = ""
    artifact_name: str = ""
    commit_id: str = ""


@dataclass(frozen=True, slots=True)
class QueuePlace:
    """Queue that holds a training, and its place among the waiting ones. Both numbers are 0 if it has no place."""

    name: str
    position: int = 0
    length: int = 0

    def __str__(self) -> str:
        return f"{self.name} {self.position}/{self.length}" if self.position else self.name


@dataclass(frozen=True, slots=True)
class Status:
    """Status of a training.

    `reason` is a CamelCase identifier in the style of Kubernetes and Argo (`OOMKilled`, `Unschedulable`) or a short phrase
    (`waiting for step train`), `message` a sentence, and `hint` a suggested fix. `step` is the step that failed, runs or is
    pending; `exit_code` is the exit code of the failed step. `phase` is the Workflow's own phase and `workflow` its name.
    `queue` is set while a queue holds the training.
    `offloaded` is true if Argo keeps the nodes in its database, which only Argo Server can read.
    """

    state: State
    reason: str = ""
    message: str = ""
    hint: str = ""
    exit_code: int | None = None
    step: str = ""
    started: str = ""
    finished: str = ""
    artifacts: Artifacts = Artifacts()
    steps: tuple[StepStatus, ...] = ()
    phase: str = ""
    workflow: str = ""
    offloaded: bool = False
    queue: QueuePlace | None = None

    @property
    def has_ended(self) -> bool:
        """Whether the state is final."""
        return self.state in ENDED
