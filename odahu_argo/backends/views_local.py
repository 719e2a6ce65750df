"""The trainings of this machine, gathered for the pages."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from threading import Event

import yaml

from odahu_argo.backends.views_kubernetes import fields
from odahu_argo.errors import NotFound
from odahu_argo.local.home import Home
from odahu_argo.local.logs import read_logs, strip_step_prefix
from odahu_argo.local.odahu_form import odahu_form
from odahu_argo.local.queries import get_training, list_trainings
from odahu_argo.local.store import LocalTraining, StepRecord, TrainingStore
from odahu_argo.local.summary import failure_problem
from odahu_argo.status.workflow import read_spec
from odahu_argo.tracking import PATIENCE, Asking, Database, NoRun
from odahu_argo.web.model import Log, LogLine, Span, Step, Summary, TrainingView, tail
from odahu_argo.web.text import moment


def local_views(home: Home, patience: float = PATIENCE) -> LocalViews:
    """What `odahu-argo local` has run below `home`; MLflow is waited for so many seconds."""
    return LocalViews(home, Asking(Database(home.tracking_file), patience))


@dataclass(frozen=True, slots=True)
class LocalViews:
    """What `odahu-argo local` has run below `home`."""

    home: Home
    mlflow: Asking

    @property
    def place(self) -> str:
        """This machine."""
        return "this machine"

    @property
    def start(self) -> str:
        """The command that starts a training here."""
        return "odahu-argo local train run -f training.yaml -f connections.yaml"

    def all(self) -> list[Summary]:
        """Every training, the newest first."""
        return [_summary(training) for training in list_trainings(self.home)]

    def training(self, training_id: str, whole: bool = True) -> TrainingView:
        """One training: its last run."""
        self._require(training_id)
        training = get_training(self.home, training_id)
        workflow = self._workflow(training_id)
        order = _order(workflow)
        hint = failure_problem(training, self.home).hint if training.state == "failed" else ""
        artifacts = {
            "Zip": training.artifact_uri or training.artifact_name,
            "MLflow run": training.run_id,
            "Commit": training.commit_id,
        }
        facts = {"Logs": str(self.home.run(training_id).logs), "Exit code": str(training.exit_code or "")}
        if training.run_id:
            facts["MLflow"] = f"mlflow ui --backend-store-uri {self.home.tracking_uri}"
        return TrainingView(
            now=datetime.now(UTC),
            summary=_summary(training),
            hint=hint or "",
            facts=fields(facts),
            steps=tuple(_step(each, order.get(each.name, ())) for each in training.steps),
            artifacts=fields(artifacts),
            parameters=fields(odahu_form(training, self.home)["spec"].get("hyperParameters") or {}),
            run=self.mlflow.run(training.run_id) if training.run_id else NoRun("there is no MLflow run yet"),
            links=(),
            log=tail(self._lines(training_id, False, Event())) if whole else Log(),
            workflow=workflow if whole else "",
            workflow_note="" if workflow else "it was run by an earlier odahu-argo, which kept none",
        )

    def log(self, training_id: str, follow: bool, is_over: Event) -> Iterator[LogLine | str]:
        """Its lines from the first on."""
        self._require(training_id)
        return self._lines(training_id, follow, is_over)

    def _require(self, training_id: str) -> None:
        if TrainingStore(self.home.store_file).get(training_id) is None:
            raise NotFound(f"no training {training_id!r} was run on this machine")

    def _lines(self, training_id: str, follow: bool, is_over: Event) -> Iterator[LogLine]:
        for step, line in read_logs(self.home, training_id, None, follow, is_over):
            yield LogLine(step, strip_step_prefix(step, line))

    def _workflow(self, training_id: str) -> str:
        """What the training compiles to for Argo; nothing where it was not kept."""
        try:
            return self.home.run(training_id).workflow.read_text(encoding="utf-8")
        except (OSError, ValueError):
            return ""


def _order(workflow: str) -> Mapping[str, tuple[str, ...]]:
    """Which steps each step waits for."""
    try:
        return read_spec(yaml.load(workflow, getattr(yaml, "CSafeLoader", yaml.SafeLoader))).needs
    except yaml.YAMLError:
        return {}


def _summary(training: LocalTraining) -> Summary:
    return Summary(
        id=training.id,
        state=training.state,
        reason="",
        message=training.reason or _at_work(training),
        model=training.model_name,
        version=training.model_version,
        toolchain=training.toolchain,
        created=moment(training.created),
        finished=None if training.is_live else moment(training.updated),
    )


def _at_work(training: LocalTraining) -> str:
    names = [step.name for step in training.steps if step.state == "running"]
    if not names or not training.is_live:
        return ""
    return f"step{'s' if len(names) > 1 else ''} {' and '.join(names)} {'are' if len(names) > 1 else 'is'} running"


def _step(record: StepRecord, needs: tuple[str, ...]) -> Step:
    span = Span(record.state, moment(record.started), moment(record.finished))
    return Step(record.name, record.state, record.message, needs, (span,) if span.started else ())
