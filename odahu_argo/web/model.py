"""Values that the pages show besides the training itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from odahu_argo.status.model import StepStatus
from odahu_argo.status.unstructured import mapping
from odahu_argo.tracking import MlflowRun, NoRun
from odahu_argo.trainings.events import LogLine
from odahu_argo.trainings.model import Training
from odahu_argo.web.text import format_age, format_utc, parse_time, seconds


@dataclass(frozen=True, slots=True)
class Link:
    """A named http URL."""

    name: str
    url: str


@dataclass(frozen=True, slots=True)
class LogTail:
    """The last lines of a log. `skipped` counts the lines before, `note` explains gaps."""

    lines: tuple[LogLine, ...] = ()
    skipped: int = 0
    note: str = ""


@dataclass(frozen=True, slots=True)
class TrainingDetails:
    """Everything on the page of one training at the time `now`.

    `workflow` is the compiled Workflow as YAML; if it is empty, `workflow_note` gives the reason.
    """

    training: Training
    now: datetime
    run: MlflowRun | NoRun
    links: tuple[Link, ...] = ()
    log: LogTail = LogTail()
    workflow: str = ""
    workflow_note: str = ""

    @property
    def facts(self) -> dict[str, str]:
        """Details of the newest attempt by label."""
        newest, status = self.training.newest, self.training.status
        facts: dict[str, Any] = {}
        if newest.workflow:
            facts["Workflow"] = f"{newest.workflow} (deleted)" if newest.is_gone else newest.workflow
        if len(self.training.attempts) > 1:
            facts["Attempt"] = newest.number
        if newest.local is not None:
            facts["Logs"] = newest.local.logs
        facts["Exit code"] = status.exit_code or ""
        if newest.local is not None and status.artifacts.run_id:
            facts["MLflow"] = newest.local.mlflow_command
        return _non_empty(facts)

    @property
    def artifacts(self) -> dict[str, str]:
        """Results of the training by label."""
        artifacts, local = self.training.status.artifacts, self.training.newest.local
        model = (local.artifact_uri if local else "") or artifacts.artifact_name
        return _non_empty({"Model": model, "MLflow run": artifacts.run_id, "Commit": artifacts.commit_id})

    @property
    def parameters(self) -> dict[str, str]:
        """Hyperparameters in the manifest."""
        return _non_empty(mapping(self.training.newest.spec.get("hyperParameters")))


def _non_empty(values: Mapping[Any, Any]) -> dict[str, str]:
    return {str(name): str(value) for name, value in values.items() if value not in (None, "")}


@dataclass(frozen=True, slots=True)
class ListRow:
    """A training in the list. `submitted` is the time of submission in RFC 3339, in UTC for people, and as an age."""

    id: str
    state: str
    model: str
    version: str
    reason: str
    message: str
    submitted: tuple[str, str, str]


def list_row(training: Training, now: datetime) -> ListRow:
    """Return the row of a training. The message of a training that has succeeded is left out."""
    newest, status = training.newest, training.status
    created = parse_time(newest.created)
    return ListRow(
        id=training.id,
        state=status.state,
        model=newest.model_name,
        version=newest.model_version,
        reason=status.reason,
        message="" if status.state == "succeeded" else status.message.partition("\n")[0],
        submitted=(newest.created, format_utc(created), format_age(created, now)),
    )


@dataclass(frozen=True, slots=True)
class Interval:
    """The time of one run of a step. Times that are not known are None."""

    state: str
    start: datetime | None
    end: datetime | None


def intervals(step: StepStatus) -> tuple[Interval, ...]:
    """Return the interval of each pod of a step, or that of the step itself if it has run without pods."""
    runs = tuple(Interval(run.state, parse_time(run.started), parse_time(run.finished)) for run in step.runs)
    whole = Interval(step.state, parse_time(step.started), parse_time(step.finished))
    return runs or ((whole,) if whole.start and step.state != "skipped" else ())


def start_time(step: StepStatus) -> datetime | None:
    """Return when the first run of a step started."""
    return min((interval.start for interval in intervals(step) if interval.start), default=None)


def end_time(step: StepStatus, now: datetime) -> datetime | None:
    """Return when the last run of a step ended. For a running step this is `now`; if the end is unknown, the start."""
    ends = [interval.end for interval in intervals(step)]
    finished = None if None in ends else max((end for end in ends if end), default=None)
    return finished or (now if step.state == "running" else start_time(step))


def duration(step: StepStatus, now: datetime) -> float:
    """Return the seconds from the start of a step to its end, including the waits between runs."""
    return seconds(start_time(step), end_time(step, now))
