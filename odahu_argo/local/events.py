"""What the engine tells while it runs a training. A listener is called by one thread at a time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from odahu_argo.local.store import StepState


@dataclass(frozen=True, slots=True)
class StepReused:
    """A step succeeded in the run that is resumed, and is not run again."""

    step: str


@dataclass(frozen=True, slots=True)
class StepStarted:
    """A step's process begins; `attempt` counts from 1."""

    step: str
    attempt: int


@dataclass(frozen=True, slots=True)
class StepOutput:
    """A step has printed a line: plain text without control characters, which may look like any markup."""

    step: str
    text: str


@dataclass(frozen=True, slots=True)
class StepProgress:
    """A step is so many percent done."""

    step: str
    percent: int


@dataclass(frozen=True, slots=True)
class StepRetried:
    """A step had a fault and is tried again in `wait` seconds."""

    step: str
    message: str
    wait: float


@dataclass(frozen=True, slots=True)
class StepFinished:
    """A step has ended after so many seconds over all its attempts."""

    step: str
    state: StepState
    seconds: float
    message: str


StepEvent = StepReused | StepStarted | StepOutput | StepProgress | StepRetried | StepFinished
StepListener = Callable[[StepEvent], None]
