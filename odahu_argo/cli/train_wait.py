"""Following submitted trainings until they have ended, and telling how they did."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from odahu_argo.cli import render

if TYPE_CHECKING:
    from odahu_argo.errors import Problem
    from odahu_argo.profile import Profile
    from odahu_argo.submit.cluster import Cluster
    from odahu_argo.submit.send import Sent
    from odahu_argo.trainings.model import Training

EXIT_INTERRUPTED = 130

Wait = Annotated[bool, typer.Option("--wait/--no-wait", help="Follow the training until it has ended.")]
Timeout = Annotated[
    float | None, typer.Option("--timeout", min=0, help="Seconds to follow it at most; the training itself goes on.")
]


def submitted(connected: Cluster, settings: Profile, training_id: str, sent: Sent) -> None:
    """Say what was submitted, where to see it and how to follow it."""
    verb = "submitted as" if sent.created else "goes on as"
    render.out(f"training {training_id} {verb} workflow {sent.name} in namespace {connected.namespace}")
    if settings.argo.url:
        render.out(f"  {settings.argo.url}/workflows/{connected.namespace}/{sent.name}")
    render.note(f"  {_following(connected, training_id)}   follows it")


def _following(connected: Cluster, training_id: str) -> str:
    return f"odahu-argo train logs --id {training_id} -n {connected.namespace}"


def wait_for(connected: Cluster, settings: Profile, training_ids: list[str], timeout: float | None) -> None:
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
        ended = _follow(connected, training_id, left, several=len(training_ids) > 1)
        if ended.status.state == "succeeded":
            summary(ended)
        else:
            failures.append(failure(ended))
    if failures:
        raise TrainingFailed(failures)


def _follow(connected: Cluster, training_id: str, timeout: float | None, several: bool) -> Training:
    from odahu_argo.errors import StillRunning
    from odahu_argo.trainings.follow import TimeIsUp, follow
    from odahu_argo.trainings.logs import Line, Missing
    from odahu_argo.trainings.recorder import tidy
    from odahu_argo.trainings.watching import Changed, InSight, OutOfSight

    prefix = f"{training_id} " if several else ""
    shown = Shown(prefix)
    try:
        for event in follow(connected, training_id, timeout):
            match event:
                case Changed(training):
                    shown.tell(training)
                case Line(step, text):
                    render.note(f"{prefix}{step} | {text}")
                case Missing(step, attempt, why):
                    render.note(f"note: the log of {step}, attempt {attempt}, is missing: {why}")
                case OutOfSight(why):
                    shown.out_of_sight(why)
                case InSight():
                    shown.in_sight()
                case TimeIsUp():
                    raise StillRunning(
                        f"training {training_id!r} goes on: it had not ended after {timeout:.0f} s",
                        hint=f"{_following(connected, training_id)} follows it, train stop ends it",
                    )
    except KeyboardInterrupt:
        hint = f"{_following(connected, training_id)} follows it, train stop ends it"
        render.note(f"interrupted; training {training_id} goes on: {hint}")
        raise typer.Exit(EXIT_INTERRUPTED) from None
    ended = shown.last
    if ended is None:
        raise StillRunning(f"training {training_id!r} was not seen")
    tidy(connected, ended)
    return ended


class Shown:
    """What the user has been told of a training, so that only news is told."""

    def __init__(self, prefix: str = "") -> None:
        self.last: Training | None = None
        self._prefix = prefix
        self._said = ""
        self._steps: dict[str, str] = {}
        self._is_out_of_sight = False

    def tell(self, training: Training) -> None:
        """Say in a line each that the training, or one of its steps, has taken another state."""
        self.last = training
        self._is_out_of_sight = False
        for step in training.status.steps:
            if step.state != self._steps.get(step.name, "waiting"):
                self._steps[step.name] = step.state
                render.note(f"{self._prefix}{step.name}  {step.state}")
        status = training.status
        said = f"{status.state}: {status.message}" if status.message and not status.has_ended else status.state
        if said != self._said:
            self._said = said
            render.note(f"{self._prefix}training {training.id} {'has ' if status.has_ended else 'is '}{said}")

    def out_of_sight(self, why: str) -> None:
        """Say once that the state is unknown, and what it was."""
        if not self._is_out_of_sight:
            self._is_out_of_sight = True
            last = f"; it was {self.last.status.state}, {self.last.newest.seen}" if self.last else ""
            render.note(f"{self._prefix}the state is unknown: {why}{last}; trying again")

    def in_sight(self) -> None:
        """Say that the state is known again, where no change has said so."""
        if self._is_out_of_sight and self.last:
            self._is_out_of_sight = False
            render.note(f"{self._prefix}in sight again: training {self.last.id} is {self.last.status.state}")


def summary(training: Training) -> None:
    """State and artifacts, a line each."""
    status = training.status
    rows = (
        ("state", status.state),
        ("runId", status.artifacts.run_id),
        ("artifactName", status.artifacts.artifact_name),
        ("commitID", status.artifacts.commit_id),
    )
    render.out("\n".join(f"{name + ':':<14}{value}" for name, value in rows if value))


def failure(training: Training) -> Problem:
    """Why it failed and what to do, as a Problem."""
    from odahu_argo.errors import Problem

    status = training.status
    where = f" in {status.step}" if status.step else ""
    code = f" (exit code {status.exit_code})" if status.exit_code is not None else ""
    hints = [status.hint, f"odahu-argo train retry --id {training.id} goes on from the step that failed"]
    return Problem(
        f"training {training.id!r} failed{where}{code}: {status.message or status.reason}",
        hint="\n        ".join(hint for hint in hints if hint),
    )
