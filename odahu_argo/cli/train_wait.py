"""Following submitted trainings until they have ended, and telling how they did."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from odahu_argo.cli import render

if TYPE_CHECKING:
    from collections.abc import Sequence

    from odahu_argo.backends.base import Backend, Submitted
    from odahu_argo.errors import Problem
    from odahu_argo.trainings.model import Training

EXIT_INTERRUPTED = 130

Wait = Annotated[bool, typer.Option("--wait/--no-wait", help="Follow the training until it has ended.")]
Timeout = Annotated[
    float | None, typer.Option("--timeout", min=0, help="Seconds to follow it at most; the training itself goes on.")
]


def report(reached: Backend, sent: Sequence[Submitted], wait: bool, timeout: float | None) -> None:
    """Say what was submitted, where to see it and how to follow it; then follow all, where that is wanted.

    Raises:
        TrainingFailed, StillRunning: as `wait_for` does.
    """
    for each in sent:
        render.out(each.message)
        if each.url:
            render.out(f"  {each.url}")
        render.note(f"  {_following(reached, each.training_id)}   follows it")
    if wait:
        wait_for(reached, [each.training_id for each in sent], timeout)


def _following(reached: Backend, training_id: str) -> str:
    return f"odahu-argo train logs --id {training_id} {reached.info.options}"


def wait_for(reached: Backend, training_ids: list[str], timeout: float | None) -> None:
    """Show what happens until all have ended, then how each did.

    Raises:
        TrainingFailed: at least one failed.
        StillRunning: the time was up before.
    """
    from time import monotonic

    from odahu_argo.errors import TrainingFailed

    until = None if timeout is None else monotonic() + timeout
    failures: list[Problem] = []
    for training_id in training_ids:
        left = None if until is None else max(0.0, until - monotonic())
        ended = _follow(reached, training_id, left, several=len(training_ids) > 1)
        if ended.status.state == "succeeded":
            summary(ended)
        else:
            failures.append(failure(ended, reached.trainings.retry_hint(training_id)))
    if failures:
        raise TrainingFailed(failures)


def _follow(reached: Backend, training_id: str, timeout: float | None, several: bool) -> Training:
    from odahu_argo.errors import StillRunning
    from odahu_argo.trainings.events import Changed, Disconnected, LogLine, LogNote, Reconnected, TimedOut

    prefix = f"{training_id} " if several else ""
    shown = Shown(prefix)
    try:
        for event in reached.trainings.follow(training_id, timeout):
            match event:
                case Changed(training):
                    shown.tell(training)
                case LogLine(step, text):
                    render.note(f"{prefix}{step} | {text}")
                case LogNote(text):
                    render.note(f"note: {text}")
                case Disconnected(message):
                    shown.disconnected(message)
                case Reconnected():
                    shown.reconnected()
                case TimedOut():
                    raise StillRunning(
                        f"training {training_id!r} goes on: it had not ended after {timeout:.0f} s",
                        hint=f"{_following(reached, training_id)} follows it, {reached.info.stop_hint}",
                    )
    except KeyboardInterrupt:
        hint = f"{_following(reached, training_id)} follows it, {reached.info.stop_hint}"
        render.note(f"interrupted; training {training_id} goes on: {hint}")
        raise typer.Exit(EXIT_INTERRUPTED) from None
    if shown.last is None:
        raise StillRunning(f"training {training_id!r} was not seen")
    return shown.last


class Shown:
    """What the user has been told of a training, so that only news is told."""

    def __init__(self, prefix: str = "") -> None:
        self.last: Training | None = None
        self._prefix = prefix
        self._said = ""
        self._steps: dict[str, str] = {}
        self._is_disconnected = False

    def tell(self, training: Training) -> None:
        """Say in a line each that the training, or one of its steps, has taken another state."""
        self.last = training
        self._is_disconnected = False
        for step in training.steps:
            if step.state != self._steps.get(step.name, "waiting"):
                self._steps[step.name] = step.state
                render.note(f"{self._prefix}{step.name}  {step.state}")
        status = training.status
        said: str = status.state
        if status.message and not status.has_ended:
            said = f"{status.state}: {status.message}"
        if said != self._said:
            self._said = said
            render.note(f"{self._prefix}training {training.id} {'has ' if status.has_ended else 'is '}{said}")

    def disconnected(self, message: str) -> None:
        """Say once that the state is unknown, and what it was."""
        if not self._is_disconnected:
            self._is_disconnected = True
            last = ""
            if self.last:
                last = "; it was " + ", ".join(filter(None, (self.last.status.state, self.last.newest.seen)))
            render.note(f"{self._prefix}disconnected: {message}{last}; trying again")

    def reconnected(self) -> None:
        """Say that the state is known again, where no change has said so."""
        if self._is_disconnected and self.last:
            self._is_disconnected = False
            render.note(f"{self._prefix}reconnected: training {self.last.id} is {self.last.status.state}")


def summary(training: Training) -> None:
    """State and artifacts, a line each."""
    artifacts = training.status.artifacts
    rows = (
        ("state", training.status.state),
        ("runId", artifacts.run_id),
        ("artifactName", artifacts.artifact_name),
        ("commitID", artifacts.commit_id),
    )
    render.out("\n".join(f"{name + ':':<14}{value}" for name, value in rows if value))


def failure(training: Training, remedy: str) -> Problem:
    """Why it failed and what to do, as a Problem."""
    from odahu_argo.errors import Problem

    status = training.status
    message = (status.message or status.reason).removeprefix(f"{status.step}: ")
    where = f" in {status.step}" if status.step else ""
    code = f" (exit code {status.exit_code})" if status.exit_code is not None else ""
    return Problem(
        f"training {training.id!r} failed{where}{code}: {message}",
        hint="\n        ".join(hint for hint in (status.hint, remedy) if hint),
    )
