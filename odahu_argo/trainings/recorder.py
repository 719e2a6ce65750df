"""The recorder: sees every change of the namespace's trainings and remembers it, so that nothing is lost with a Workflow."""

from __future__ import annotations

from collections.abc import Callable

from odahu_argo.kube.cluster import Cluster
from odahu_argo.trainings.actions import give_up_workspaces
from odahu_argo.trainings.model import Training
from odahu_argo.trainings.watch import Changed, Deleted, InSight, OutOfSight, watch_trainings


def run(cluster: Cluster, tell: Callable[[str], None]) -> None:
    """Remember until the process is ended; `tell` hears a sentence for each state that a training takes.

    Workspaces that no run needs any more are given up, as Argo does with a workspace that is the workflow's own.

    Raises:
        Forbidden: the account may not read workflows or write records.
    """
    told: dict[str, tuple[int, str]] = {}
    for change in watch_trainings(cluster):
        match change:
            case OutOfSight(why):
                tell(f"out of sight: {why}")
            case InSight():
                tell("in sight again")
            case Deleted(name):
                told.pop(name, None)
                tell(f"{name}: deleted")
            case Changed(training):
                here = (training.newest.number, training.status.state)
                if told.get(training.id) != here:
                    told[training.id] = here
                    tell(f"{training.id}: attempt {here[0]} is {here[1]}")
                    tidy(cluster, training)


def tidy(cluster: Cluster, training: Training) -> None:
    """Give up the workspaces that no run needs any more: when a resumed training has succeeded, and when another run has
    taken the place of one that was stopped for it."""
    resumed = [attempt for attempt, _ in training.steps_by_attempt]
    if training.status.state == "succeeded" and training.newest.resumes:
        give_up_workspaces(cluster, resumed)
    replaced = training.attempts[: -len(resumed)]
    left = [attempt for attempt in replaced if not attempt.is_gone]
    if left and left[-1].status.has_ended:
        give_up_workspaces(cluster, left)
