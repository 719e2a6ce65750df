"""The logs of a training that has ended, or as far as they are written: ordered by step and attempt."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from odahu_argo.errors import OdahuArgoError, UserError
from odahu_argo.status.model import PodRun
from odahu_argo.submit.cluster import Cluster, NotFound, Refused, Unreachable
from odahu_argo.trainings.model import Training
from odahu_argo.trainings.pod_logs import CONTAINER, archived_lines, own_lines, pod_names
from odahu_argo.validation import nearest


@dataclass(frozen=True, slots=True)
class Line:
    """One line that a step has printed."""

    step: str
    text: str


@dataclass(frozen=True, slots=True)
class Missing:
    """A log that cannot be read, and why."""

    step: str
    attempt: int
    why: str

    def __str__(self) -> str:
        return f"the log of {self.step}, attempt {self.attempt}, is missing: {self.why}"


def read_logs(
    cluster: Cluster, training: Training, step: str | None = None, log_connection: str | None = None
) -> Iterator[Line | Missing]:
    """Every line that the newest attempt's steps have printed, or only those of `step`.

    A retried training begins with the logs of the attempts whose steps it did not run again.

    Raises:
        UserError: there is no such step.
        Denied, Unreachable: pods cannot be listed.
    """
    require_step(training, step)
    for attempt, steps in training.steps_by_attempt:
        pods = {} if attempt.is_gone else pod_names(cluster, attempt.workflow)
        for each in steps:
            if step in (None, each.name):
                for run in each.runs:
                    yield from _lines(cluster, each.name, run, pods.get(run.node_id), log_connection)


def require_step(training: Training, step: str | None) -> None:
    """See that the training has such a step.

    Raises:
        UserError: it has not.
    """
    names = [each.name for each in training.steps]
    if step is not None and step not in names:
        raise UserError(f"training {training.id!r} has no step {step!r}", hint=nearest(step, names))


def _lines(
    cluster: Cluster, step: str, run: PodRun, pod: str | None, log_connection: str | None
) -> Iterator[Line | Missing]:
    try:
        if pod is not None:
            yield from (Line(step, text) for text in own_lines(cluster.pod_log(pod, CONTAINER)))
            return
    except Refused:
        return
    except Unreachable as error:
        yield Missing(step, run.attempt, error.problems[0].message)
        return
    except NotFound:
        pass
    if run.state in ("waiting", "scheduling", "skipped"):
        return
    if log_connection is None:
        why = "its pod is gone; argo.log_connection in the profile names the store of archived logs"
        yield Missing(step, run.attempt, why)
        return
    try:
        yield from (Line(step, text) for text in own_lines(archived_lines(cluster, log_connection, run)))
    except OdahuArgoError as error:
        yield Missing(step, run.attempt, error.problems[0].message)
