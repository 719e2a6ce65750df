"""What the pages show, wherever the trainings run. Times are in UTC; None where they are not known."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from threading import Event
from time import monotonic
from typing import Protocol

from odahu_argo.errors import OdahuArgoError
from odahu_argo.tracking import NoRun, Run
from odahu_argo.web.text import seconds

LIVE = ("scheduling", "running")


@dataclass(frozen=True, slots=True)
class Summary:
    """A training in one line. `reason` is a word, `message` a sentence; both may be empty."""

    id: str
    state: str
    reason: str
    message: str
    model: str
    version: str
    toolchain: str
    created: datetime | None
    finished: datetime | None = None

    @property
    def is_live(self) -> bool:
        """Whether more will happen."""
        return self.state in LIVE


@dataclass(frozen=True, slots=True)
class Span:
    """One try of a step: from when to when, and how it stands."""

    state: str
    started: datetime | None
    finished: datetime | None


@dataclass(frozen=True, slots=True)
class Step:
    """A step with its tries. `needs` are the steps it waits for, `progress` is between 0 and 1."""

    name: str
    state: str
    message: str = ""
    needs: tuple[str, ...] = ()
    tries: tuple[Span, ...] = ()
    progress: float | None = None

    @property
    def started(self) -> datetime | None:
        """When its first try began."""
        return min((each.started for each in self.tries if each.started), default=None)

    @property
    def finished(self) -> datetime | None:
        """When its last try ended; None while one goes on."""
        ends = [each.finished for each in self.tries]
        return None if None in ends else max((end for end in ends if end), default=None)

    def end(self, now: datetime) -> datetime | None:
        """Up to when it is known to have been at work."""
        return self.finished or (now if self.state == "running" else self.started)

    def took(self, now: datetime) -> float:
        """Seconds from its beginning to its end, the waits between tries included."""
        return seconds(self.started, self.end(now))


@dataclass(frozen=True, slots=True)
class Field:
    """A named value."""

    name: str
    value: str


@dataclass(frozen=True, slots=True)
class Link:
    """Where else to look: an http address."""

    name: str
    address: str


@dataclass(frozen=True, slots=True)
class LogLine:
    """A line that a step has printed."""

    step: str
    text: str


@dataclass(frozen=True, slots=True)
class Log:
    """The end of what the steps have printed. `passed_over` counts the lines before; `note` says what is missing."""

    lines: tuple[LogLine, ...] = ()
    passed_over: int = 0
    note: str = ""


@dataclass(frozen=True, slots=True)
class TrainingView:
    """Everything that the page of one training shows, as it stood at `now`.

    `parameters` are those that the author gave, `run` what MLflow knows or why it knows nothing. `workflow` is Argo's
    Workflow as YAML, and `workflow_note` says why there is none.
    """

    now: datetime
    summary: Summary
    hint: str
    facts: tuple[Field, ...]
    steps: tuple[Step, ...]
    artifacts: tuple[Field, ...]
    parameters: tuple[Field, ...]
    run: Run | NoRun
    links: tuple[Link, ...]
    log: Log = Log()
    workflow: str = ""
    workflow_note: str = ""


class Views(Protocol):
    """Where the pages get what they show. Every method may raise ServiceFault, those of one training NotFound."""

    @property
    def place(self) -> str:
        """Where the trainings run, in a few words."""

    @property
    def start(self) -> str:
        """The command that starts a training there."""

    def all(self) -> list[Summary]:
        """Every training, the newest first."""

    def training(self, training_id: str, whole: bool = True) -> TrainingView:
        """One training; where it is not `whole`, without its log and workflow, which then are not read."""

    def log(self, training_id: str, follow: bool, is_over: Event) -> Iterator[LogLine | str]:
        """Its lines from the first on; what is text alone is said of the log. NotFound before the first is asked for.

        With `follow` until the training has ended, or soon after `is_over` is set.
        """


MOST_LINES = 1000
PATIENCE = 8.0
"""Seconds for which lines are read."""


def tail(lines: Iterator[LogLine | str]) -> Log:
    """The last lines; what is text alone says what is missing. A fault on the way ends the log, and is told."""
    kept: deque[LogLine] = deque(maxlen=MOST_LINES)
    count, notes = 0, []
    until = monotonic() + PATIENCE
    try:
        for line in lines:
            if monotonic() > until:
                notes.append(f"there is more; only what came in {PATIENCE:g} s is shown")
                break
            if isinstance(line, LogLine):
                kept.append(line)
                count += 1
            else:
                notes.append(line)
    except OdahuArgoError as error:
        notes.append(error.problems[0].message)
    return Log(tuple(kept), count - len(kept), "; ".join(dict.fromkeys(notes)))
