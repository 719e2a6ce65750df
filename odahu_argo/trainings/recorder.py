"""The recorder: watch the trainings of a namespace and write their history, so that it outlives their Workflows."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from odahu_argo.backoff import delays
from odahu_argo.errors import Conflict, Rejected, Unreachable
from odahu_argo.kube.cluster import Cluster
from odahu_argo.kube.watch import MAX_RETRY_SECONDS, MIN_RETRY_SECONDS
from odahu_argo.trainings import history
from odahu_argo.trainings.actions import delete_workspaces
from odahu_argo.trainings.events import Changed, Deleted, Disconnected, Reconnected
from odahu_argo.trainings.model import Training
from odahu_argo.trainings.wait_limits import WaitLimits
from odahu_argo.trainings.watch import watch_trainings


def run(cluster: Cluster, report: Callable[[str], None]) -> None:
    """Record the trainings of the namespace until the process ends. `report` receives one line per change of state.

    Also delete workspaces that no attempt needs any more, as Argo does with the volume claims of its Workflows, and stop runs
    whose pods wait for a node longer than their limit.

    Raises:
        Forbidden: The account may not read Workflows or write records.
    """
    stop = threading.Event()
    limits = threading.Thread(target=WaitLimits(cluster).run, args=(report, stop), name="wait limits", daemon=True)
    limits.start()
    try:
        _record(cluster, report)
    finally:
        stop.set()


def _record(cluster: Cluster, report: Callable[[str], None]) -> None:
    states: dict[str, tuple[int, str]] = {}
    for event in watch_trainings(cluster):
        match event:
            case Disconnected(message):
                report(f"disconnected: {message}")
            case Reconnected():
                report("reconnected")
            case Deleted(training_id):
                states.pop(training_id, None)
                report(f"{training_id}: deleted")
            case Changed(training, recorded):
                if recorded is None or not history.is_same(recorded, training):
                    _save(cluster, training, recorded is None, report)
                state = (training.newest.number, training.status.state)
                if states.get(training.id) != state:
                    states[training.id] = state
                    delete_unused_workspaces(cluster, training)
                    report(f"{training.id}: attempt {state[0]} is {state[1]}")


def _save(cluster: Cluster, training: Training, is_new: bool, report: Callable[[str], None]) -> None:
    """Write the record. Retry until the API is reachable, so that no change is lost."""
    waits = delays(MIN_RETRY_SECONDS, MAX_RETRY_SECONDS)
    while True:
        try:
            return history.save(cluster, training, is_new)
        except Rejected as error:
            return report(f"{training.id}: cannot write the record: {error.problems[0].message}")
        except (Unreachable, Conflict) as error:
            report(f"{training.id}: cannot write the record, trying again: {error.problems[0].message}")
            time.sleep(next(waits))


def delete_unused_workspaces(cluster: Cluster, training: Training) -> None:
    """Delete the workspaces of a resumed training that has succeeded, and those of earlier attempts that have ended."""
    resumed = [attempt for attempt, _ in training.steps_by_attempt]
    if training.status.state == "succeeded" and training.newest.resumes:
        delete_workspaces(cluster, resumed)
    replaced = training.attempts[: -len(resumed)]
    existing = [attempt for attempt in replaced if not attempt.is_gone]
    if existing and existing[-1].status.has_ended:
        delete_workspaces(cluster, existing)
