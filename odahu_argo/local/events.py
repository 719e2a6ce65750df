"""Events emitted by the engine during a run. Listeners are called by one thread at a time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from odahu_argo.local.store import StepState


@dataclass(frozen=True, slots=True)
class StepReused:
    """A step that succeeded in the resumed run and does not run again."""

    step: str


@dataclass(frozen=True, slots=True)
class StepStarted:
    """Start of an attempt, counted from 1."""

    step: str
    attempt: int


@dataclass(frozen=True, slots=True)
class StepOutput:
    """One line of output, without control characters. It may contain text that resembles terminal markup."""

    step: str
    text: str


@dataclass(frozen=True, slots=True)
class StepProgress:
    """Progress in percent."""

    step: str
    percent: int


@dataclass(frozen=True, slots=True)
class StepRetried:
    """A transient fault. The next attempt starts after `wait` seconds."""

    step: str
    message: str
    wait: float


@dataclass(frozen=True, slots=True)
class StepFinished:
    """Final state of a step and the duration of all its attempts in seconds."""

    step: str
    state: StepState
    seconds: float
    message: str


StepEvent = StepReused | StepStarted | StepOutput | StepProgress | StepRetried | StepFinished
StepListener = Callable[[StepEvent], None]
