"""One attempt of a step: its private folder, environment, process and result."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import Literal

from odahu_argo import contract
from odahu_argo.errors import ServiceFault
from odahu_argo.local.connections import StepConnection, private_folder, write_connection
from odahu_argo.local.events import StepListener, StepOutput, StepProgress
from odahu_argo.local.home import Home
from odahu_argo.local.logs import plain_text
from odahu_argo.local.process import ProcessCommand, ProcessMonitor, run_process
from odahu_argo.plan.explain import duration
from odahu_argo.plan.model import PlannedStep


@dataclass(frozen=True, slots=True)
class RunContext:
    """State shared by all attempts of a run. Steps are started as `python -m <module> <kind>`."""

    home: Home
    training_id: str
    module: str
    listener: StepListener
    stop: Event
    kill: Event


@dataclass(frozen=True, slots=True)
class AttemptResult:
    """Result of an attempt. `exit_code` is None if the attempt was stopped or exceeded its timeout."""

    state: Literal["succeeded", "failed", "stopped"]
    exit_code: int | None
    message: str

    @property
    def is_transient(self) -> bool:
        """Whether another attempt may succeed."""
        return self.exit_code == contract.EXIT_FAULT


def run_attempt(
    step: PlannedStep, connection: StepConnection | None, number: int, context: RunContext
) -> AttemptResult:
    """Run a step once and append its output to the step's log. Secrets of its connection are replaced by `***`.

    Raises:
        ServiceFault: the disk failed, or the process cannot be started or terminated.
    """
    run_folder = context.home.run(context.training_id)
    redact = connection.redact if connection else str
    try:
        with (
            private_folder(context.home, context.training_id) as private,
            run_folder.log(step.name).open("a", encoding="utf-8") as log,
        ):

            def on_line(line: str) -> None:
                log.write(redact(line) + "\n")
                log.flush()
                context.listener(StepOutput(step.name, redact(line)))

            def on_progress(text: str) -> None:
                if (percent := percentage(text)) is not None:
                    context.listener(StepProgress(step.name, percent))

            if number > 1:
                on_line(f"attempt {number}")
            if connection and connection.decoded:
                on_line(f"connection {connection.id}: decoded from base64: {', '.join(connection.decoded)}")
            environment = _environment(step, write_connection(connection, private), private, context)
            command = ProcessCommand(
                arguments=(sys.executable, "-P", "-m", context.module, step.kind),
                environment=environment,
                folder=run_folder.workspace,
                marker=contract.MESSAGE_VARIABLE,
                timeout=step.timeout,
            )
            monitor = ProcessMonitor(on_line, on_progress, private / "progress", context.stop, context.kill)
            result = run_process(command, monitor)
            message = redact(_read_message(private / "message"))
    except OSError as error:
        raise ServiceFault(f"cannot write {error.filename or run_folder.log(step.name)}: {error.strerror}") from error
    if result.cause == "timeout":
        return AttemptResult("failed", None, f"exceeded its timeout of {duration(step.timeout)}")
    if result.cause == "stop":
        return AttemptResult("stopped", None, "")
    if result.exit_code == contract.EXIT_OK:
        return AttemptResult("succeeded", contract.EXIT_OK, "")
    return AttemptResult("failed", result.exit_code, message or _default_message(result.exit_code))


def percentage(text: str) -> int | None:
    """Convert progress written as `N/M` to percent from 0 to 100. Return None for any other text."""
    done, _, total = text.strip()[:64].partition("/")
    if not (done.isascii() and done.isdigit() and total.isascii() and total.isdigit() and int(total)):
        return None
    return min(100, 100 * int(done) // int(total))


def _environment(step: PlannedStep, connections: Path, private: Path, context: RunContext) -> dict[str, str]:
    return {
        **os.environ,
        contract.STEP_VARIABLE: contract.spec_to_json(step.spec),
        contract.WORKSPACE_VARIABLE: str(context.home.run(context.training_id).workspace),
        contract.CONNECTIONS_VARIABLE: str(connections),
        contract.MESSAGE_VARIABLE: str(private / "message"),
        contract.PROGRESS_VARIABLE: str(private / "progress"),
        contract.ENVIRONMENTS_VARIABLE: str(context.home.environments),
        contract.TRACKING_VARIABLE: context.home.tracking_uri,
        contract.MLFLOW_ARTIFACTS_VARIABLE: context.home.mlflow_artifacts.as_uri(),
        "PYTHONUNBUFFERED": "1",
    }


def _read_message(file: Path) -> str:
    with suppress(FileNotFoundError):
        lines = file.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        return "\n".join(plain_text(line) for line in lines)
    return ""


def _default_message(exit_code: int | None) -> str:
    if exit_code == 137:
        return "killed by signal 9; unless someone sent it, the machine ran out of memory"
    return f"exited with code {exit_code} without an error message"
