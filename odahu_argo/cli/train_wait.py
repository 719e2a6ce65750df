"""Following submitted trainings until they have ended, and telling how they did."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from odahu_argo.cli import render

if TYPE_CHECKING:
    from collections.abc import Sequence

    from odahu_argo.backends.base import Site, Submitted
    from odahu_argo.backends.standing import Standing
    from odahu_argo.errors import Problem

EXIT_INTERRUPTED = 130

Wait = Annotated[bool, typer.Option("--wait/--no-wait", help="Follow the training until it has ended.")]
Timeout = Annotated[
    float | None, typer.Option("--timeout", min=0, help="Seconds to follow it at most; the training itself goes on.")
]


def report(reached: Site, sent: Sequence[Submitted], wait: bool, timeout: float | None) -> None:
    """Say what was submitted, where to see it and how to follow it; then follow all, where that is wanted.

    Raises:
        TrainingFailed, StillRunning: as `wait_for` does.
    """
    for each in sent:
        render.out(each.words)
        if each.address:
            render.out(f"  {each.address}")
        render.note(f"  {_following(reached, each.training_id)}   follows it")
    if wait:
        wait_for(reached, [each.training_id for each in sent], timeout)


def _following(reached: Site, training_id: str) -> str:
    return f"odahu-argo train logs --id {training_id} {reached.arguments}"


def wait_for(reached: Site, training_ids: list[str], timeout: float | None) -> None:
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
        if ended.state == "succeeded":
            summary(ended)
        else:
            failures.append(failure(ended, reached.trainings.remedy(training_id)))
    if failures:
        raise TrainingFailed(failures)


def _follow(reached: Site, training_id: str, timeout: float | None, several: bool) -> Standing:
    from odahu_argo.backends.base import Seen
    from odahu_argo.backends.standing import standing
    from odahu_argo.errors import StillRunning
    from odahu_argo.trainings.follow import TimeIsUp
    from odahu_argo.trainings.logs import Line
    from odahu_argo.trainings.watch import InSight, OutOfSight

    prefix = f"{training_id} " if several else ""
    shown = Shown(prefix)
    try:
        for event in reached.trainings.follow(training_id, timeout):
            match event:
                case Seen(form):
                    shown.tell(standing(form))
                case Line(step, text):
                    render.note(f"{prefix}{step} | {text}")
                case str():
                    render.note(f"note: {event}")
                case OutOfSight(why):
                    shown.out_of_sight(why)
                case InSight():
                    shown.in_sight()
                case TimeIsUp():
                    raise StillRunning(
                        f"training {training_id!r} goes on: it had not ended after {timeout:.0f} s",
                        hint=f"{_following(reached, training_id)} follows it, {reached.ending}",
                    )
    except KeyboardInterrupt:
        hint = f"{_following(reached, training_id)} follows it, {reached.ending}"
        render.note(f"interrupted; training {training_id} goes on: {hint}")
        raise typer.Exit(EXIT_INTERRUPTED) from None
    if shown.last is None:
        raise StillRunning(f"training {training_id!r} was not seen")
    return shown.last


class Shown:
    """What the user has been told of a training, so that only news is told."""

    def __init__(self, prefix: str = "") -> None:
        self.last: Standing | None = None
        self._prefix = prefix
        self._said = ""
        self._steps: dict[str, str] = {}
        self._is_out_of_sight = False

    def tell(self, training: Standing) -> None:
        """Say in a line each that the training, or one of its steps, has taken another state."""
        self.last = training
        self._is_out_of_sight = False
        for step in training.steps:
            if step.state != self._steps.get(step.name, "waiting"):
                self._steps[step.name] = step.state
                render.note(f"{self._prefix}{step.name}  {step.state}")
        said = training.state
        if training.message and not training.has_ended:
            said = f"{training.state}: {training.message}"
        if said != self._said:
            self._said = said
            render.note(f"{self._prefix}training {training.id} {'has ' if training.has_ended else 'is '}{said}")

    def out_of_sight(self, why: str) -> None:
        """Say once that the state is unknown, and what it was."""
        if not self._is_out_of_sight:
            self._is_out_of_sight = True
            last = "; it was " + ", ".join(filter(None, (self.last.state, self.last.seen))) if self.last else ""
            render.note(f"{self._prefix}the state is unknown: {why}{last}; trying again")

    def in_sight(self) -> None:
        """Say that the state is known again, where no change has said so."""
        if self._is_out_of_sight and self.last:
            self._is_out_of_sight = False
            render.note(f"{self._prefix}in sight again: training {self.last.id} is {self.last.state}")


def summary(training: Standing) -> None:
    """State and artifacts, a line each."""
    rows = (
        ("state", training.state),
        ("runId", training.run_id),
        ("artifactName", training.artifact_name),
        ("commitID", training.commit_id),
    )
    render.out("\n".join(f"{name + ':':<14}{value}" for name, value in rows if value))


def failure(training: Standing, remedy: str) -> Problem:
    """Why it failed and what to do, as a Problem."""
    from odahu_argo.errors import Problem

    where = f" in {training.step}" if training.step else ""
    code = f" (exit code {training.exit_code})" if training.exit_code is not None else ""
    return Problem(
        f"training {training.id!r} failed{where}{code}: {training.message or training.reason}",
        hint="\n        ".join(hint for hint in (training.hint, remedy) if hint),
    )
