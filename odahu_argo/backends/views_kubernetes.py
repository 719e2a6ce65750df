"""The trainings of a cluster's namespace, gathered for the pages."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from threading import Event
from typing import Any
from urllib.parse import quote

from odahu_argo.compile.emit import to_yaml
from odahu_argo.contract import TRACKING_VARIABLE
from odahu_argo.errors import OdahuArgoError
from odahu_argo.kube.cluster import WORKFLOW, Cluster
from odahu_argo.profile import Profile
from odahu_argo.status.model import StepStatus
from odahu_argo.status.unstructured import mapping, sequence
from odahu_argo.tracking import PATIENCE, Asking, NoRun, Run, Server
from odahu_argo.trainings.follow import read_or_follow
from odahu_argo.trainings.model import Training
from odahu_argo.trainings.queries import find_training, list_trainings
from odahu_argo.web.model import Field, Link, Log, LogLine, Span, Step, Summary, TrainingView, tail
from odahu_argo.web.text import moment

_COMPILED = ("apiVersion", "kind", "metadata", "spec")
_NAMED = ("name", "namespace", "labels", "annotations")


def argo_views(cluster: Cluster, settings: Profile, patience: float = PATIENCE) -> ArgoViews:
    """The trainings of the cluster's namespace; MLflow is waited for so many seconds."""
    return ArgoViews(cluster, settings, _mlflow(settings, patience))


def _mlflow(settings: Profile, patience: float) -> Asking | None:
    """The MLflow server that the environment names, else the profile; None where that is none with an http address.

    A server that a training's author names is not asked: nobody but the operator decides where this process sends requests
    and its credentials.
    """
    address = os.environ.get(TRACKING_VARIABLE) or settings.tracking.uri or ""
    return Asking(Server(address), patience) if address.startswith(("http://", "https://")) else None


@dataclass(frozen=True, slots=True)
class ArgoViews:
    """The trainings of the cluster's namespace; `mlflow` is None where there is no MLflow server to ask."""

    cluster: Cluster
    settings: Profile
    mlflow: Asking | None

    @property
    def place(self) -> str:
        """The namespace."""
        return f"namespace {self.cluster.namespace}"

    @property
    def start(self) -> str:
        """The command that starts a training there."""
        return f"odahu-argo train create -n {self.cluster.namespace} -f training.yaml -f connections.yaml"

    def all(self) -> list[Summary]:
        """Every training, the newest first."""
        return sorted(map(_summary, list_trainings(self.cluster)), key=_when, reverse=True)

    def training(self, training_id: str, whole: bool = True) -> TrainingView:
        """One training, with all its steps, also those that an earlier attempt has done for the newest."""
        training = find_training(self.cluster, training_id)
        status, newest = training.status, training.newest
        workflow, why_none = self._workflow(training) if whole else ("", "")
        run = self._run(training)
        artifacts = {
            "Zip": status.artifacts.artifact_name,
            "MLflow run": status.artifacts.run_id,
            "Commit": status.artifacts.commit_id,
        }
        facts = {
            "Workflow": f"{newest.workflow}{' (gone)' if newest.is_gone else ''}",
            "Attempt": str(newest.number) if len(training.attempts) > 1 else "",
            "Exit code": str(status.exit_code) if status.exit_code else "",
        }
        return TrainingView(
            now=datetime.now(UTC),
            summary=_summary(training),
            hint=status.hint,
            facts=fields(facts),
            steps=_steps(training),
            artifacts=fields(artifacts),
            parameters=fields(mapping(newest.spec.get("hyperParameters"))),
            run=run,
            links=tuple(self._links(training, run)),
            log=tail(self._lines(training, False, Event())) if whole else Log(),
            workflow=workflow,
            workflow_note=why_none,
        )

    def log(self, training_id: str, follow: bool, is_over: Event) -> Iterator[LogLine | str]:
        """Its lines from the first on."""
        return self._lines(find_training(self.cluster, training_id), follow, is_over)

    def _lines(self, training: Training, follow: bool, is_over: Event) -> Iterator[LogLine | str]:
        archive = self.settings.argo.log_connection
        lines = read_or_follow(self.cluster, training, follow, log_connection=archive, is_over=is_over)
        return (line if isinstance(line, str) else LogLine(line.step, line.text) for line in lines)

    def _workflow(self, training: Training) -> tuple[str, str]:
        """The workflow as it was sent, or why it cannot be shown."""
        newest = training.newest
        if newest.is_gone:
            return "", f"workflow {newest.workflow} is no longer on the cluster"
        try:
            found = self.cluster.get(WORKFLOW, newest.workflow)
        except OdahuArgoError as error:
            return "", error.problems[0].message
        sent = {name: found[name] for name in _COMPILED if name in found}
        metadata = {name: found["metadata"][name] for name in _NAMED if name in found["metadata"]}
        return to_yaml([{**sent, "metadata": metadata}]), ""

    def _run(self, training: Training) -> Run | NoRun:
        run_id = training.status.artifacts.run_id
        if TRACKING_VARIABLE in _environment(training):
            return NoRun("the training names an MLflow server of its own, which is not asked from here")
        if self.mlflow is None:
            return NoRun("no MLflow server with an http address is known here", "set tracking.uri in the profile")
        return self.mlflow.run(run_id) if run_id else NoRun("there is no MLflow run yet")

    def _links(self, training: Training, run: Run | NoRun) -> Iterator[Link]:
        if self.settings.argo.url and not training.newest.is_gone:
            place = f"{quote(self.cluster.namespace, safe='')}/{quote(training.newest.workflow, safe='')}"
            yield Link("Argo", f"{self.settings.argo.url}/workflows/{place}")
        address = self.settings.tracking.url or self.settings.tracking.uri or ""
        if isinstance(run, Run) and address.startswith(("http://", "https://")):
            place = f"{quote(run.experiment, safe='')}/runs/{quote(run.id, safe='')}"
            yield Link("MLflow", f"{address.rstrip('/')}/#/experiments/{place}")


def fields(named: Mapping[Any, Any]) -> tuple[Field, ...]:
    """Those that have a value, as text."""
    return tuple(Field(str(name), str(value)) for name, value in named.items() if value not in (None, ""))


def _summary(training: Training) -> Summary:
    status, newest = training.status, training.newest
    model = mapping(newest.spec.get("model"))
    return Summary(
        id=training.id,
        state=status.state,
        reason=status.reason,
        message=status.message,
        model=str(model.get("name", "")),
        version=str(model.get("version", "")),
        toolchain=str(newest.spec.get("toolchain", "")),
        created=moment(newest.created),
        finished=moment(status.finished),
    )


def _when(summary: Summary) -> tuple[datetime, str]:
    return summary.created or datetime.min.replace(tzinfo=UTC), summary.id


def _environment(training: Training) -> set[str]:
    return {str(mapping(each).get("name")) for each in sequence(training.newest.spec.get("envs"))}


def _steps(training: Training) -> tuple[Step, ...]:
    """A retried attempt's workflow names only the steps it has left to do; the ones before tell the rest of the order."""
    needs: dict[str, dict[str, None]] = {}
    for attempt, _ in training.steps_by_attempt:
        for each in attempt.status.steps:
            needs.setdefault(each.name, {}).update(dict.fromkeys(each.needs))
    return tuple(_step(each, tuple(needs[each.name])) for each in training.steps)


def _step(status: StepStatus, needs: tuple[str, ...]) -> Step:
    tries = tuple(Span(run.state, moment(run.started), moment(run.finished)) for run in status.runs)
    whole = Span(status.state, moment(status.started), moment(status.finished))
    return Step(
        name=status.name,
        state=status.state,
        message=status.message,
        needs=needs,
        tries=tries or ((whole,) if whole.started else ()),
        progress=status.progress,
    )
