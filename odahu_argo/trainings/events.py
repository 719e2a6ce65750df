"""Events of a watched or followed training."""

from __future__ import annotations

from dataclasses import dataclass

from odahu_argo.trainings.model import Training


@dataclass(frozen=True, slots=True)
class Changed:
    """A training was read for the first time or has changed. `recorded` is its entry in the history, if it was read."""

    training: Training
    recorded: Training | None = None


@dataclass(frozen=True, slots=True)
class Deleted:
    """A training was deleted together with its history."""

    training_id: str


@dataclass(frozen=True, slots=True)
class Disconnected:
    """The API cannot be reached, so states are unknown. `message` gives the reason."""

    message: str


@dataclass(frozen=True, slots=True)
class Reconnected:
    """The API can be reached again. Changes in between have been reported."""


@dataclass(frozen=True, slots=True)
class TimedOut:
    """The time limit for following has passed. The training keeps running."""


@dataclass(frozen=True, slots=True)
class LogLine:
    """A line that a step has printed."""

    step: str
    text: str


@dataclass(frozen=True, slots=True)
class LogNote:
    """A remark about the log, such as why a part of it is missing."""

    text: str


WatchEvent = Changed | Deleted | Disconnected | Reconnected
LogEvent = LogLine | LogNote
FollowEvent = Changed | Disconnected | Reconnected | TimedOut | LogLine | LogNote
