"""A plan, carried out on this machine."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from pathlib import Path
from time import monotonic

from odahu_argo import contract
from odahu_argo.errors import OdahuArgoError
from odahu_argo.local.attempt import AttemptResult, RunContext, run_attempt
from odahu_argo.local.connections import StepConnection, output_uri, step_connections
from odahu_argo.local.events import StepEvent, StepFinished, StepListener, StepRetried, StepReused, StepStarted
from odahu_argo.local.home import Home
from odahu_argo.local.lock import training_lock
from odahu_argo.local.prepare import clean_up_after_crash, new_run, resumed_run
from odahu_argo.local.store import LocalTraining, TrainingStore, utc_now
from odahu_argo.local.tracking import prepare_tracking
from odahu_argo.manifest.models import Connection
from odahu_argo.plan.model import Plan, PlannedStep

SIDE_BY_SIDE = 8
LONGEST_WAIT = 5.0
"""Seconds before a step is tried again: at most this, so that a person is not kept waiting."""
INTERRUPTED = "interrupted by the user"
EXIT_INTERRUPTED = 130


def run(
    plan: Plan,
    connections: Mapping[str, Connection],
    home: Home,
    *,
    output_dir: Path | None = None,
    resume: bool = False,
    listener: StepListener = lambda event: None,
    module: str = contract.MODULE,
) -> LocalTraining:
    """Run the plan's steps, those that do not need each other side by side, and return what became of the training.

    A new run replaces the earlier one of the same id; `resume` goes on with it instead. When a step fails, the others are
    stopped and the training is `failed`, which is no exception. KeyboardInterrupt, raised in this thread, stops all
    processes and is raised again once `failed` is recorded; a second one kills them without waiting.

    Raises:
        UserError: a connection is not on this machine, the training is running already, or it cannot be resumed.
        ServiceFault: the disk or MLflow's database failed before the first step.
    """
    by_step = step_connections(plan, connections, home.artifacts, output_dir)
    with training_lock(home, plan.training_id):
        clean_up_after_crash(home, plan.training_id)
        prepare_tracking(home)
        begin = resumed_run if resume else new_run
        training = begin(plan, home, output_uri(plan, by_step))
        TrainingStore(home.store_file).save(training)
        return _LocalRun(plan, by_step, home, listener, module).to_its_end(training)


class _LocalRun:
    """A run whose record is in the store: the steps that are under way, and what ends them."""

    def __init__(
        self, plan: Plan, connections: Mapping[str, StepConnection], home: Home, listener: StepListener, module: str
    ) -> None:
        self._plan = plan
        self._connections = connections
        self._listener = listener
        self._one_at_a_time = threading.Lock()
        self._store = TrainingStore(home.store_file)
        self._stop, self._hurry = threading.Event(), threading.Event()
        self._around = RunContext(home, plan.training_id, module, self._tell, self._stop, self._hurry)
        workspace = home.run(plan.training_id).workspace
        self._room = contract.Workspace(workspace, workspace, workspace)

    def to_its_end(self, training: LocalTraining) -> LocalTraining:
        done = {step.name for step in training.steps if step.state == "succeeded"}
        try:
            for step in training.steps:
                if step.state == "succeeded":
                    self._tell(StepReused(step.name))
            for level in self._plan.levels:
                if not self._stop.is_set():
                    self._side_by_side([step for step in level if step.name not in done])
            self._record_end(training.id)
        except KeyboardInterrupt:
            self._end(training.id, state="failed", reason=INTERRUPTED, exit_code=EXIT_INTERRUPTED)
            raise
        except BaseException as error:
            reason = f"odahu-argo itself failed: {type(error).__name__}: {error}"
            self._end(training.id, state="failed", reason=reason, exit_code=1)
            raise
        return self._read(training.id)

    def _side_by_side(self, steps: Sequence[PlannedStep]) -> None:
        if not steps:
            return
        futures: list[Future[None]] = []
        with ThreadPoolExecutor(min(len(steps), SIDE_BY_SIDE)) as pool:
            try:
                futures += [pool.submit(self._run_step, step) for step in steps]
                wait(futures)
            except BaseException:
                self._stop_all(futures)
                raise
        for future in futures:
            future.result()

    def _stop_all(self, futures: Sequence[Future[None]]) -> None:
        self._stop.set()
        while not all(future.done() for future in futures):
            try:
                wait(futures)
            except KeyboardInterrupt:
                self._hurry.set()

    def _run_step(self, step: PlannedStep) -> None:
        if self._stop.is_set():
            return
        began = monotonic()
        try:
            self._store.update(self._plan.training_id, state="running")
            self._store.update_step(self._plan.training_id, step.name, state="running", started=utc_now())
            outcome = self._attempts(step)
            self._record_step(step, outcome)
            if outcome.state == "failed":
                self._record_failure(f"{step.name}: {outcome.message}")
            self._tell(StepFinished(step.name, outcome.state, monotonic() - began, outcome.message))
        except BaseException:
            self._stop.set()
            raise

    def _attempts(self, step: PlannedStep) -> AttemptResult:
        number = 1
        while True:
            self._tell(StepStarted(step.name, number))
            try:
                outcome = run_attempt(step, self._connections.get(step.name), number, self._around)
            except OdahuArgoError as error:
                return AttemptResult("failed", error.exit_code, str(error))
            if not outcome.is_fault or number > step.retry.limit:
                return outcome
            pause = min(LONGEST_WAIT, step.retry.first_wait * 2.0 ** (number - 1))
            self._tell(StepRetried(step.name, outcome.message, pause))
            if self._stop.wait(pause):
                return AttemptResult("stopped", None, "")
            number += 1

    def _record_step(self, step: PlannedStep, outcome: AttemptResult) -> None:
        results = {
            "commit_id": self._result(step, contract.COMMIT_ID),
            "run_id": self._result(step, contract.RUN_ID),
            "artifact_name": self._result(step, contract.ARTIFACT_NAME) if outcome.state == "succeeded" else None,
        }
        known = {name: value for name, value in results.items() if value}
        ended = {
            "state": outcome.state,
            "exit_code": outcome.exit_code,
            "message": outcome.message,
            "finished": utc_now(),
        }
        self._store.update_step(self._plan.training_id, step.name, known, **ended)

    def _record_failure(self, reason: str) -> None:
        """The first failure is the reason; those that follow may come of stopping the other steps."""
        with self._one_at_a_time:
            is_first = not self._stop.is_set()
            self._stop.set()
        if is_first:
            self._store.update(self._plan.training_id, reason=reason)

    def _result(self, step: PlannedStep, name: str) -> str | None:
        return self._room.read_result(name) if name in step.results else None

    def _record_end(self, training_id: str) -> None:
        failed = self._read(training_id).failed_step
        if failed is None:
            self._end(training_id, state="succeeded", reason="", exit_code=contract.EXIT_OK)
        else:
            self._end(training_id, state="failed", exit_code=failed.exit_code)

    def _end(self, training_id: str, **changes: str | int | None) -> None:
        for step in self._read(training_id).steps:
            if step.state in ("waiting", "running"):
                state = "skipped" if step.state == "waiting" else "stopped"
                self._store.update_step(training_id, step.name, state=state)
        self._store.update(training_id, **changes)

    def _read(self, training_id: str) -> LocalTraining:
        training = self._store.get(training_id)
        if training is None:
            raise OdahuArgoError(f"the record of {training_id!r} has vanished from {self._store.file}")
        return training

    def _tell(self, event: StepEvent) -> None:
        with self._one_at_a_time:
            self._listener(event)
