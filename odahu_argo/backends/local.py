"""Trainings that run as processes on this machine, with connections and toolchains from manifest files."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from threading import Event
from typing import Any

import yaml

from odahu_argo.backends import polling
from odahu_argo.backends.base import BackendInfo, NotSupported, Submitted
from odahu_argo.backends.local_resources import LocalConnections, LocalToolchains, ManifestDirectories
from odahu_argo.errors import AlreadyExists, NotFound, OdahuArgoError
from odahu_argo.local import manage, queries
from odahu_argo.local.connections import step_connections
from odahu_argo.local.home import Home
from odahu_argo.local.logs import read_logs, strip_step_prefix
from odahu_argo.local.mlflow_files import file_of_run, ui_command
from odahu_argo.local.prepare import plan_digest
from odahu_argo.local.store import LocalTraining, StepRecord, TrainingStore
from odahu_argo.local.summary import failure_problem
from odahu_argo.local.tracking import prepare_tracking
from odahu_argo.manifest.load import LoadedManifest, Manifests, add_missing
from odahu_argo.plan.build import plan_trainings
from odahu_argo.plan.model import Plan, schedules_of
from odahu_argo.preflight.result import CheckResult
from odahu_argo.profile import Profile, load_profile
from odahu_argo.status.model import Artifacts, Status, StepStatus
from odahu_argo.status.workflow import read_spec
from odahu_argo.tracking import PAGE_SECONDS, MlflowRun, NoRun, RunCache, TrackingDatabase
from odahu_argo.trainings.events import FollowEvent, LogEvent, LogLine, WatchEvent
from odahu_argo.trainings.model import Attempt, LocalRun, Training
from odahu_argo.trainings.selection import PageRequest, TrainingFilter, TrainingPage
from odahu_argo.web.model import Link


class LocalBackend:
    """This machine: the trainings below a home directory.

    Connections and toolchains are read from `directories`, every time they are needed. Each run reads the profile file again.
    """

    def __init__(self, home: Home, directories: Sequence[Path] = (), profile: Path | None = None) -> None:
        """Read the profile.

        Raises:
            UserError: The profile has errors.
        """
        self.home = home
        self.manifests = ManifestDirectories(directories)
        self.info = BackendInfo(
            location="this machine",
            options="",
            stop_hint="press Ctrl-C where it runs",
            create_command="odahu-argo local train run -f training.yaml -f connections.yaml",
        )
        self.trainings = LocalTrainings(home, self.manifests, profile)
        self.connections = LocalConnections(self.manifests)
        self.toolchains = LocalToolchains(self.manifests)

    def close(self) -> None:
        """Do nothing: trainings keep running."""

    def prepare(self) -> None:
        """Check the manifests and the profile, and create MLflow's database in the background, which takes seconds.

        Raises:
            UserError: The manifests or the profile have errors. Reports all of them.
        """
        self.manifests.read_valid()
        self.trainings.profile  # noqa: B018  # reports errors in the profile
        threading.Thread(target=self._prepare_tracking, daemon=True).start()

    def _prepare_tracking(self) -> None:
        """Create the database. Each training checks it again and reports errors."""
        with suppress(OdahuArgoError):
            self.home.create()
            prepare_tracking(self.home)


class LocalTrainings:
    """The trainings of a home directory. There is one attempt per training: its last run."""

    def __init__(self, home: Home, manifests: ManifestDirectories, profile_file: Path | None) -> None:
        self.home = home
        self.manifests = manifests
        self.profile_file = profile_file

    @cached_property
    def profile(self) -> Profile:
        """The settings in the profile file, or the defaults."""
        return load_profile(self.profile_file)

    def list(self) -> Sequence[Training]:
        """Return every training, sorted by ID."""
        records = sorted(queries.list_trainings(self.home), key=lambda record: record.id)
        return [to_training(record, self.home) for record in records]

    def page(self, selection: TrainingFilter, request: PageRequest) -> TrainingPage:
        """Return a page of the matching trainings. Reads only their records."""
        columns = {
            "state": selection.states,
            "model_name": selection.model_names,
            "model_version": selection.model_versions,
            "toolchain": selection.toolchains,
        }
        filters = {name: allowed for name, allowed in columns.items() if allowed}
        stored = queries.list_page(
            self.home,
            request.number,
            request.size,
            filters,
            request.is_newest_first,
            request.is_summary,
            selection.words,
        )
        trainings = [to_training(record, self.home) for record in stored.trainings]
        return TrainingPage(trainings, stored.number, stored.total, request.size, stored.counts)

    def ids(self) -> Sequence[str]:
        """Return the ID of every training, sorted."""
        return TrainingStore(self.home.store_file).ids()

    def get(self, training_id: str) -> Training:
        """Return one training. The dependencies of its steps come from the compiled Workflow."""
        record = queries.get_training(self.home, training_id)
        tracking_file = file_of_run(self.home.root, record.run_id) if record.run_id else None
        return to_training(record, self.home, _step_needs(self._workflow(training_id)), tracking_file)

    def history(self, training_id: str) -> Training:
        """Return one training with its only attempt."""
        return self.get(training_id)

    def prepare(
        self, manifests: Manifests, training_id: str | None = None, external: Sequence[str] = ()
    ) -> LocalSubmission:
        """Plan the trainings. Their manifests take precedence over those in the directories.

        Raises:
            UserError: The manifests have errors, or a connection is not available on this machine.
        """
        combined = add_missing(manifests, self.manifests.read_valid())
        plans = plan_trainings(combined, self.profile.with_external(tuple(external)), training_id)
        connections = {written.manifest.id: written.manifest for written in combined.connections}
        for plan in plans:
            step_connections(plan, connections, self.home.artifacts, None)
        return LocalSubmission(self, combined, {plan.training_id: plan for plan in plans})

    def stop(self, training_id: str) -> Training:
        """Stop a training, as Ctrl-C does."""
        training = self.get(training_id)
        manage.stop(self.home, training_id)
        return training

    def retry(self, training_id: str) -> Submitted:
        """Raise NotSupported."""
        raise NotSupported(
            "retrying a training is not supported on this machine without its manifests",
            hint=f"odahu-argo local train run --id {training_id} -f FILE --resume",
        )

    def retry_hint(self, training_id: str) -> str:
        """Return the command that resumes a training."""
        return f"odahu-argo local train run --id {training_id} -f FILE --resume restarts it at the step that failed"

    def delete(self, training_id: str) -> None:
        """Stop a training and delete its workspace, logs and record."""
        queries.get_training(self.home, training_id)
        manage.stop(self.home, training_id)
        manage.remove(self.home, training_id)

    def watch(self, training_id: str | None = None) -> Iterator[WatchEvent]:
        """Yield every training, or one, then each change."""
        return polling.poll(lambda: [self.get(training_id)] if training_id else self.list())

    def follow(self, training_id: str, timeout: float | None = None) -> Iterator[FollowEvent]:
        """Yield the training, then each change and log line until it has ended."""

        def read_log(stop: Event) -> Iterator[LogEvent]:
            return self.logs(training_id, is_following=True, stop=stop)

        return polling.follow(lambda: self.get(training_id), read_log, timeout)

    def logs(
        self, training_id: str, step: str | None = None, is_following: bool = False, stop: Event | None = None
    ) -> Iterator[LogEvent]:
        """Yield the log in the order of the steps. Without `step`, drop prefixes that repeat the name of the step."""
        queries.get_training(self.home, training_id)
        lines = read_logs(self.home, training_id, step, is_following, stop)
        return (LogLine(name, line if step else strip_step_prefix(name, line)) for name, line in lines)

    def workflow_yaml(self, training: Training) -> str:
        """Return the Workflow that the training compiles to on a cluster."""
        if workflow := self._workflow(training.id):
            return workflow
        raise NotFound("the compiled workflow was not stored: the training ran with an older version of odahu-argo")

    def mlflow_run(self, training: Training, timeout: float = PAGE_SECONDS) -> MlflowRun | NoRun:
        """Return the run in the MLflow database of this machine."""
        run_id = training.status.artifacts.run_id
        return self._runs.get(run_id, timeout) if run_id else NoRun("there is no MLflow run yet")

    def links(self, training: Training, run: MlflowRun | NoRun) -> Sequence[Link]:
        """Return no links: there are no servers."""
        return []

    @cached_property
    def _runs(self) -> RunCache:
        return RunCache(TrackingDatabase(self.home.root))

    def _workflow(self, training_id: str) -> str:
        try:
            return self.home.run(training_id).workflow.read_text(encoding="utf-8")
        except (OSError, ValueError):
            return ""


@dataclass(frozen=True, slots=True)
class LocalSubmission:
    """Plans by training ID, with the manifests that they come from."""

    trainings: LocalTrainings
    manifests: Manifests
    plans: dict[str, Plan]

    @property
    def ids(self) -> Sequence[str]:
        """IDs in the order of the manifests."""
        return tuple(self.plans)

    @property
    def schedules(self) -> Sequence[tuple[str, str]]:
        """ID and schedule of each training with a schedule."""
        return schedules_of(self.plans.values())

    def preflight(self, ids: Sequence[str]) -> Sequence[CheckResult]:
        """Return nothing: `prepare` has checked the connections."""
        return []

    def check(self) -> None:
        """Do nothing: `prepare` has checked the trainings."""

    def dry_run(self, training_id: str) -> str:
        """Check that the training can be created."""
        self._find_running(training_id)
        return f"training {training_id} would run on this machine (dry run)"

    def create(self, training_id: str) -> Submitted:
        """Run the training in a new process. If the same training is already running, return that run."""
        if self._find_running(training_id):
            return Submitted(training_id, f"training {training_id} is already running on this machine", is_new=False)
        return self._start(training_id)

    def edit(self, training_id: str) -> Submitted:
        """Stop the current run and start a new one."""
        self.trainings.stop(training_id)
        return self._start(training_id)

    def _find_running(self, training_id: str) -> bool:
        """Return whether the same training is running.

        Raises:
            AlreadyExists: A different training with this ID exists, or one that has ended.
        """
        try:
            training = self.trainings.get(training_id)
        except NotFound:
            return False
        if training.is_live and training.newest.digest == plan_digest(self.plans[training_id]):
            return True
        raise AlreadyExists(
            f"training {training_id!r} already exists on this machine: {training.status.state}",
            hint="start a new run with odahu-argo train edit -f FILE, or keep it with --ignore-if-exists",
            entity=training_id,
        )

    def _start(self, training_id: str) -> Submitted:
        sources = (self.manifests.trainings, self.manifests.connections, self.manifests.toolchains)
        written: Iterable[LoadedManifest[Any]] = (manifest for source in sources for manifest in source)
        texts = [json.dumps({"kind": entry.manifest.kind, **entry.document.value}) for entry in written]
        home, profile = self.trainings.home, self.trainings.profile_file
        manage.start("\n---\n".join(texts), training_id, home, profile, self.manifests.is_strict)
        return Submitted(training_id, f"training {training_id} started on this machine")


def to_training(
    record: LocalTraining,
    home: Home,
    needs: Mapping[str, tuple[str, ...]] | None = None,
    tracking_file: Path | None = None,
) -> Training:
    """Convert the record of a local training.

    `needs` are the dependencies of its steps by name, and `tracking_file` contains its MLflow records.
    """
    hint = failure_problem(record, home).hint if record.state == "failed" else None
    failed = record.failed_step
    status = Status(
        state=record.state,
        message=record.reason or _running_steps(record),
        hint=hint or "",
        exit_code=record.exit_code,
        step=failed.name if failed else "",
        finished="" if record.is_live else record.updated,
        artifacts=Artifacts(record.run_id, record.artifact_name, record.commit_id),
        steps=tuple(_step_status(step, (needs or {}).get(step.name, ())) for step in record.steps),
    )
    local = LocalRun(
        reason=record.reason,
        updated=record.updated,
        artifact_uri=record.artifact_uri,
        logs=home.logs(record.id),
        mlflow_command=ui_command(tracking_file or home.tracking_file),
    )
    attempt = Attempt(
        number=1,
        workflow="",
        uid="",
        created=record.created,
        digest=record.digest,
        spec=_spec(record),
        status=status,
        seen="",
        local=local,
    )
    return Training(record.id, (attempt,))


def _spec(record: LocalTraining) -> dict[str, Any]:
    """Return the specification. Old records contain only the model and the toolchain."""
    if record.spec:
        return dict(json.loads(record.spec))
    model = {"name": record.model_name, "version": record.model_version}
    return {"model": model, "toolchain": record.toolchain}


def _running_steps(record: LocalTraining) -> str:
    names = [step.name for step in record.steps if step.state == "running"]
    if not names or not record.is_live:
        return ""
    return f"step {names[0]} is running" if len(names) == 1 else f"steps {' and '.join(names)} are running"


def _step_status(record: StepRecord, needs: tuple[str, ...]) -> StepStatus:
    return StepStatus(
        name=record.name,
        state=record.state,
        message=record.message,
        exit_code=record.exit_code,
        started=record.started,
        finished=record.finished,
        needs=needs,
    )


def _step_needs(workflow: str) -> Mapping[str, tuple[str, ...]]:
    """Return the dependencies of each step in a compiled Workflow."""
    try:
        return read_spec(yaml.load(workflow, getattr(yaml, "CSafeLoader", yaml.SafeLoader))).needs  # noqa: S506  # both loaders are safe
    except yaml.YAMLError:
        return {}
