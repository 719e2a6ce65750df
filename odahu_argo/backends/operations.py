"""Operations on any backend that the API server, the pages and JupyterLab share."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from datetime import UTC, datetime
from time import monotonic

from odahu_argo.backends.base import Backend, Trainings
from odahu_argo.errors import NotFound, OdahuArgoError, Problem, UserError
from odahu_argo.manifest.load import Manifests
from odahu_argo.naming import LABEL_PATTERN
from odahu_argo.tracking import PAGE_SECONDS
from odahu_argo.trainings.events import LogEvent, LogLine
from odahu_argo.web.model import LogTail, TrainingDetails

MAX_LINES = 1000
LOG_SECONDS = 8.0
"""Time for reading the log."""


def require_valid_id(training_id: str) -> str:
    """Return the ID if a training can have it. IDs become part of names and label selectors.

    Raises:
        NotFound: The ID is not valid.
    """
    if not LABEL_PATTERN.fullmatch(training_id):
        raise NotFound(f"training {training_id[:63]!r} does not exist", entity=training_id[:63])
    return training_id


def submit_training(trainings: Trainings, manifests: Manifests, is_new: bool) -> str:
    """Create or edit the only training in the manifests. Return its ID.

    Raises:
        UserError: The manifests have errors, or a preflight check failed. Reports all of them.
        AlreadyExists: `is_new` is set, and the training exists.
    """
    submission = trainings.prepare(manifests)
    [training_id] = submission.ids
    failed = [result for result in submission.preflight([training_id]) if result.level == "error"]
    if failed:
        raise UserError(
            Problem(f"{result.subject}: {result.message}", hint=result.hint, entity=result.entity) for result in failed
        )
    if is_new:
        submission.create(training_id)
    else:
        submission.edit(training_id)
    return training_id


def training_details(backend: Backend, training_id: str, mlflow_timeout: float = PAGE_SECONDS) -> TrainingDetails:
    """Return the details of a training with the end of its log and its compiled Workflow.

    Raises:
        NotFound: The training does not exist.
        ServiceFault: The backend cannot be reached.
    """
    training = backend.trainings.get(training_id)
    run = backend.trainings.mlflow_run(training, mlflow_timeout)
    try:
        workflow, note = backend.trainings.workflow_yaml(training), ""
    except OdahuArgoError as error:
        workflow, note = "", error.problems[0].message
    return TrainingDetails(
        training=training,
        now=datetime.now(UTC),
        run=run,
        links=tuple(backend.trainings.links(training, run)),
        log=log_tail(backend.trainings.logs(training_id)),
        workflow=workflow,
        workflow_note=note,
    )


def live_details(backend: Backend, training_id: str) -> TrainingDetails:
    """Return the details of a training that change while it runs, without its log and Workflow."""
    training = backend.trainings.get(training_id)
    run = backend.trainings.mlflow_run(training)
    return TrainingDetails(training, datetime.now(UTC), run, tuple(backend.trainings.links(training, run)))


def log_tail(events: Iterator[LogEvent]) -> LogTail:
    """Return the last lines of a log. Notes, and an error that ends the log, become the note of the tail."""
    lines: deque[LogLine] = deque(maxlen=MAX_LINES)
    count = 0
    notes: dict[str, None] = {}
    deadline = monotonic() + LOG_SECONDS
    try:
        for event in events:
            if monotonic() > deadline:
                notes[f"the log is incomplete: reading it took longer than {LOG_SECONDS:g} s"] = None
                break
            if isinstance(event, LogLine):
                lines.append(event)
                count += 1
            else:
                notes[event.text] = None
    except OdahuArgoError as error:
        notes[error.problems[0].message] = None
    return LogTail(tuple(lines), count - len(lines), "; ".join(notes))
