"""Follow submitted trainings until they end, and report their results."""

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

Wait = Annotated[bool, typer.Option("--wait/--no-wait", help="Follow the training until it ends.")]
Timeout = Annotated[
    float | None,
    typer.Option("--timeout", min=0, metavar="SECONDS", help="Maximum time to follow; the training keeps running."),
]


def report(backend: Backend, submitted: Sequence[Submitted], wait: bool, timeout: float | None) -> None:
    """Print the submitted trainings and how to follow them. With `wait`, follow all trainings.

    Raises:
        TrainingFailed, StillRunning: See `wait_for`.
    """
    for training in submitted:
        render.out(training.message)
        if training.url:
            render.out(f"  {training.url}")
        render.note(f"  follow it with: {_logs_command(backend, training.training_id)}")
    if wait:
        wait_for(backend, [training.training_id for training in submitted], timeout)


def _logs_command(backend: Backend, training_id: str) -> str:
    return f"odahu-argo train logs --id {training_id} {backend.info.options}"


def wait_for(backend: Backend, training_ids: list[str], timeout: float | None) -> None:
    """Print progress until all trainings end, then the result of each.

    Raises:
        TrainingFailed: At least one training failed.
        StillRunning: The timeout, in seconds, expired.
    """
    from time import monotonic

    from odahu_argo.errors import TrainingFailed

    deadline = None if timeout is None else monotonic() + timeout
    failures: list[Problem] = []
    for training_id in training_ids:
        remaining = None if deadline is None else max(0.0, deadline - monotonic())
        training = _follow(backend, training_id, remaining, several=len(training_ids) > 1)
        if training.status.state == "succeeded":
            print_summary(training)
        else:
            failures.append(failure(training, backend.trainings.retry_hint(training_id)))
    if failures:
        raise TrainingFailed(failures)


def _follow(backend: Backend, training_id: str, timeout: float | None, several: bool) -> Training:
    from odahu_argo.errors import StillRunning
    from odahu_argo.trainings.events import Changed, Disconnected, LogLine, LogNote, Reconnected, TimedOut

    prefix = f"{training_id} " if several else ""
    progress = TrainingProgress(prefix)
    try:
        for event in backend.trainings.follow(training_id, timeout):
            match event:
                case Changed(training):
                    progress.update(training)
                case LogLine(step, text):
                    render.note(f"{prefix}{step} | {text}")
                case LogNote(text):
                    render.note(f"note: {text}")
                case Disconnected(message):
                    progress.disconnected(message)
                case Reconnected():
                    progress.reconnected()
                case TimedOut():
                    raise StillRunning(
                        f"training {training_id!r} is still running after {timeout:.0f} s",
                        hint=f"follow it with {_logs_command(backend, training_id)}; {backend.info.stop_hint}",
                    )
    except KeyboardInterrupt:
        hint = f"follow it with {_logs_command(backend, training_id)}; {backend.info.stop_hint}"
        render.note(f"detached; training {training_id} keeps running: {hint}")
        raise typer.Exit(EXIT_INTERRUPTED) from None
    if progress.last is None:
        raise StillRunning(f"no state of training {training_id!r} was received")
    return progress.last


class TrainingProgress:
    """Prints changes of a training and its steps, each once."""

    def __init__(self, prefix: str = "") -> None:
        self.last: Training | None = None
        self._prefix = prefix
        self._printed = ""
        self._steps: dict[str, str] = {}
        self._is_disconnected = False

    def update(self, training: Training) -> None:
        """Print a line for the training and each step whose state changed."""
        self.last = training
        self._is_disconnected = False
        for step in training.steps:
            if step.state != self._steps.get(step.name, "waiting"):
                self._steps[step.name] = step.state
                render.note(f"{self._prefix}{step.name}  {step.state}")
        status = training.status
        description: str = status.state
        if status.message and not status.has_ended:
            description = f"{status.state}: {status.message}"
        if description != self._printed:
            self._printed = description
            render.note(f"{self._prefix}training {training.id} {'has ' if status.has_ended else 'is '}{description}")

    def disconnected(self, message: str) -> None:
        """Print once that the state is unknown, with the last known state."""
        if not self._is_disconnected:
            self._is_disconnected = True
            last = ""
            if self.last:
                last = "; the last state was " + ", ".join(
                    filter(None, (self.last.status.state, self.last.newest.seen))
                )
            render.note(f"{self._prefix}disconnected: {message}{last}; reconnecting")

    def reconnected(self) -> None:
        """Print the current state, unless a change already did."""
        if self._is_disconnected and self.last:
            self._is_disconnected = False
            render.note(f"{self._prefix}reconnected: training {self.last.id} is {self.last.status.state}")


def print_summary(training: Training) -> None:
    """Print state and artifacts."""
    artifacts = training.status.artifacts
    rows = (
        ("state", training.status.state),
        ("runId", artifacts.run_id),
        ("artifactName", artifacts.artifact_name),
        ("commitID", artifacts.commit_id),
    )
    render.out("\n".join(f"{name + ':':<14}{value}" for name, value in rows if value))


def failure(training: Training, retry_hint: str) -> Problem:
    """Return the reason of a failure with hints."""
    from odahu_argo.errors import Problem

    status = training.status
    message = (status.message or status.reason).removeprefix(f"{status.step}: ")
    suffix = f" in {status.step}" if status.step else ""
    code = f" (exit code {status.exit_code})" if status.exit_code is not None else ""
    return Problem(
        f"training {training.id!r} failed{suffix}{code}: {message}",
        hint="\n        ".join(hint for hint in (status.hint, retry_hint) if hint),
    )
