"""Execution of a plan as processes on this machine."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path
from time import monotonic

from odahu_argo import contract
from odahu_argo.errors import OdahuArgoError
from odahu_argo.local.attempt import AttemptResult, RunContext, run_attempt
from odahu_argo.local.connections import StepConnection, output_uri, step_connections, with_local_output
from odahu_argo.local.events import StepEvent, StepFinished, StepListener, StepRetried, StepReused, StepStarted
from odahu_argo.local.home import Home
from odahu_argo.local.lock import training_lock
from odahu_argo.local.prepare import clean_up_after_crash, new_run, resumed_run
from odahu_argo.local.signals import EXIT_INTERRUPTED, Interrupted, TerminationSignals
from odahu_argo.local.store import LocalTraining, TrainingStore, utc_now
from odahu_argo.local.tracking import prepare_tracking
from odahu_argo.manifest.models import Connection
from odahu_argo.plan.model import Plan, PlannedStep

MAX_PARALLEL_STEPS = 8
MAX_RETRY_WAIT = 5.0
"""Seconds. Waits before retries are shorter than on a cluster because somebody may be watching."""
INTERRUPTED_REASON = "interrupted by the user"
_POLL_INTERVAL = 0.1
"""Seconds between checks for termination signals."""


def run(
    plan: Plan,
    connections: Mapping[str, Connection],
    home: Home,
    *,
    output_dir: Path | None = None,
    directory: Path | None = None,
    resume: bool = False,
    listener: StepListener = lambda event: None,
    module: str = contract.MODULE,
    signals: TerminationSignals | None = None,
) -> LocalTraining:
    """Run the steps of a plan, independent steps in parallel, and return the final record of the training.

    A new run replaces the earlier run of the training; `resume` continues the earlier run. A plan without checkout runs in
    place, in `directory`. When a step fails, the others are stopped and the state of the training is `failed`, which raises
    no exception.

    After the first termination signal, all processes are stopped and the training is recorded as `failed`. A second signal
    kills the processes without a grace period.

    Raises:
        UserError: a connection is not available, the training is already running, or it cannot be resumed.
        ServiceFault: the disk or MLflow's tracking store failed before the first step.
        Interrupted: a termination signal was received.
    """
    signals = signals or TerminationSignals()
    by_step = step_connections(plan, connections, home.artifacts, output_dir)
    with training_lock(home, plan.training_id):
        clean_up_after_crash(home, plan.training_id)
        prepare_tracking(home, signals)
        signals.check()
        first_record = resumed_run if resume else new_run
        training = first_record(plan, home, output_uri(plan, by_step), directory)
        TrainingStore(home.store_file).save(training)
        local_plan = with_local_output(plan, by_step)
        return _LocalRun(local_plan, by_step, home, listener, module, signals).execute(training)


class _LocalRun:
    """Run whose first record is in the store."""

    def __init__(
        self,
        plan: Plan,
        connections: Mapping[str, StepConnection],
        home: Home,
        listener: StepListener,
        module: str,
        signals: TerminationSignals,
    ) -> None:
        self._plan = plan
        self._connections = connections
        self._listener = listener
        self._signals = signals
        self._lock = threading.Lock()
        self._store = TrainingStore(home.store_file)
        self._stop, self._kill = threading.Event(), threading.Event()
        self._context = RunContext(home, plan.training_id, module, self._notify, self._stop, self._kill)
        workspace = home.run(plan.training_id).workspace
        self._room = contract.Workspace(workspace, workspace, workspace)

    def execute(self, training: LocalTraining) -> LocalTraining:
        completed = [step.name for step in training.steps if step.state == "succeeded"]
        try:
            for name in completed:
                self._notify(StepReused(name))
            for level in self._plan.levels:
                self._check_signals()
                if not self._stop.is_set():
                    self._run_parallel([step for step in level if step.name not in completed])
            return self._record_result()
        except Interrupted:
            raise
        except KeyboardInterrupt:
            self._finish(state="failed", reason=INTERRUPTED_REASON, exit_code=EXIT_INTERRUPTED)
            raise
        except BaseException as error:
            reason = f"internal error of odahu-argo: {type(error).__name__}: {error}"
            self._finish(state="failed", reason=reason, exit_code=1)
            raise

    def _run_parallel(self, steps: Sequence[PlannedStep]) -> None:
        if not steps:
            return
        with ThreadPoolExecutor(min(len(steps), MAX_PARALLEL_STEPS)) as pool:
            futures = [pool.submit(self._run_step, step) for step in steps]
            try:
                while wait(futures, _POLL_INTERVAL).not_done:
                    self._check_signals()
            except BaseException:
                self._stop.set()
                raise
        for future in futures:
            future.result()

    def _check_signals(self) -> None:
        if self._signals.count >= 1:
            self._stop.set()
        if self._signals.count >= 2:
            self._kill.set()

    def _run_step(self, step: PlannedStep) -> None:
        if self._stop.is_set():
            return
        start = monotonic()
        try:
            self._store.update(self._plan.training_id, state="running")
            self._store.update_step(self._plan.training_id, step.name, state="running", started=utc_now())
            result = self._run_attempts(step)
            self._record_step(step, result)
            if result.state == "failed":
                self._record_failure(f"{step.name}: {result.message}")
            self._notify(StepFinished(step.name, result.state, monotonic() - start, result.message))
        except BaseException:
            self._stop.set()
            raise

    def _run_attempts(self, step: PlannedStep) -> AttemptResult:
        number = 1
        while True:
            self._notify(StepStarted(step.name, number))
            try:
                result = run_attempt(step, self._connections.get(step.name), number, self._context)
            except OdahuArgoError as error:
                return AttemptResult("failed", error.exit_code, str(error))
            if not result.is_transient or number > step.retry.limit:
                return result
            pause = min(MAX_RETRY_WAIT, step.retry.first_wait * 2.0 ** (number - 1))
            self._notify(StepRetried(step.name, result.message, pause))
            if self._stop.wait(pause):
                return AttemptResult("stopped", None, "")
            number += 1

    def _record_step(self, step: PlannedStep, result: AttemptResult) -> None:
        results = {
            "commit_id": self._step_result(step, contract.COMMIT_ID),
            "run_id": self._step_result(step, contract.RUN_ID),
            "artifact_name": self._step_result(step, contract.ARTIFACT_NAME) if result.state == "succeeded" else None,
        }
        self._store.update_step(
            self._plan.training_id,
            step.name,
            {name: value for name, value in results.items() if value},
            state=result.state,
            exit_code=result.exit_code,
            message=result.message,
            finished=utc_now(),
        )

    def _step_result(self, step: PlannedStep, name: str) -> str | None:
        return self._room.read_result(name) if name in step.results else None

    def _record_failure(self, reason: str) -> None:
        """Stop the run. Only the first failure becomes its reason: later ones may be consequences of stopping other steps."""
        with self._lock:
            is_first = not self._stop.is_set()
            self._stop.set()
        if is_first:
            self._store.update(self._plan.training_id, reason=reason)

    def _record_result(self) -> LocalTraining:
        training = self._read()
        if all(step.state == "succeeded" for step in training.steps):
            return self._finish(state="succeeded", reason="", exit_code=contract.EXIT_OK)
        if self._signals.count and not training.reason:
            self._finish(state="failed", reason=INTERRUPTED_REASON, exit_code=EXIT_INTERRUPTED)
            raise Interrupted(f"interrupted; training {training.id!r} is recorded as failed, continue it with --resume")
        failed_step = training.failed_step
        return self._finish(state="failed", exit_code=failed_step.exit_code if failed_step else None)

    def _finish(self, **changes: str | int | None) -> LocalTraining:
        for step in self._read().steps:
            if step.state in ("waiting", "running"):
                state = "skipped" if step.state == "waiting" else "stopped"
                self._store.update_step(self._plan.training_id, step.name, state=state)
        self._store.update(self._plan.training_id, **changes)
        return self._read()

    def _read(self) -> LocalTraining:
        training = self._store.get(self._plan.training_id)
        if training is None:
            raise OdahuArgoError(f"the record of {self._plan.training_id!r} was deleted from {self._store.file}")
        return training

    def _notify(self, event: StepEvent) -> None:
        with self._lock:
            self._listener(event)
