"""A training's status in ODAHU's words. A *state* is ODAHU's, a *phase* is Argo's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

State = Literal["scheduling", "running", "succeeded", "failed", "unknown"]
StepState = Literal["waiting", "scheduling", "running", "succeeded", "failed", "skipped", "unknown"]
"""`waiting`: its turn has not come; `scheduling`: its pod has not begun; `skipped`: its turn never came."""

ENDED: tuple[State, ...] = ("succeeded", "failed")


@dataclass(frozen=True, slots=True)
class PodRun:
    """One pod of a step: attempt 1 and what followed. Times as Kubernetes writes them (RFC 3339), empty where unknown.

    `archived_log` is Argo's artifact entry of the pod's log, where Argo has archived it; `pod` is the pod's name.
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
    """One step of the training, with its pods in the order of their attempts. `progress` is between 0 and 1.

    `needs` are the steps of the same workflow that it waits for.
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
    """What a training leaves. Each is empty until it is known."""

    run_id: str = ""
    artifact_name: str = ""
    commit_id: str = ""


@dataclass(frozen=True, slots=True)
class Status:
    """What became of a training.

    `reason` is a word in Kubernetes' or Argo's spelling (`OOMKilled`, `Unschedulable`), `message` a plain sentence, `hint`
    how to mend it. `step` is the one that failed, that runs or that is waited for, `exit_code` that of the failed one.
    `phase` is Argo's own, as it stood in the object, and `workflow` the object's name. `offloaded`: the nodes are not in the
    object but in the database of Argo's controller, which its server reads.
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

    @property
    def has_ended(self) -> bool:
        """Whether nothing more will happen."""
        return self.state in ENDED
