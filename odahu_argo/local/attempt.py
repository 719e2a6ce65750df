"""One attempt at a step: its private folder, its environment, its process, and what it left to say."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import Literal

from odahu_argo import contract
from odahu_argo.errors import ServiceFault
from odahu_argo.local.connections import StepConnection, private_directory, write_connection
from odahu_argo.local.events import StepOutput, StepProgress
from odahu_argo.local.home import Home
from odahu_argo.local.logs import plain_text
from odahu_argo.local.process import ProcessCommand, ProcessMonitor, run_process
from odahu_argo.plan.explain import duration
from odahu_argo.plan.model import PlannedStep


@dataclass(frozen=True, slots=True)
class RunContext:
    """What all attempts of a run share. `module` is what a step is started from, `python -m module kind`."""

    home: Home
    training_id: str
    module: str
    tell: Callable[[StepOutput | StepProgress], None]
    stop: Event
    hurry: Event


@dataclass(frozen=True, slots=True)
class AttemptResult:
    """How an attempt ended. `exit_code` is None where it was stopped or took too long."""

    state: Literal["succeeded", "failed", "stopped"]
    exit_code: int | None
    message: str

    @property
    def is_fault(self) -> bool:
        """Whether trying again may help."""
        return self.exit_code == contract.EXIT_FAULT


def run_attempt(step: PlannedStep, connection: StepConnection | None, number: int, around: RunContext) -> AttemptResult:
    """Run the step once. What it prints is added to its log, without the secrets of its connection.

    Raises:
        ServiceFault: a disk failed, or its process cannot be started or ended.
    """
    run_folder = around.home.run(around.training_id)
    hide = connection.hide_secrets if connection else str
    try:
        with (
            private_directory(around.home, around.training_id) as private,
            run_folder.log(step.name).open("a", encoding="utf-8") as log,
        ):

            def on_line(line: str) -> None:
                log.write(hide(line) + "\n")
                log.flush()
                around.tell(StepOutput(step.name, hide(line)))

            def on_progress(text: str) -> None:
                if (percent := percentage(text)) is not None:
                    around.tell(StepProgress(step.name, percent))

            if number > 1:
                on_line(f"attempt {number}")
            if connection and connection.decoded:
                on_line(f"connection {connection.id}: {', '.join(connection.decoded)} read as base64")
            environment = _environment(step, write_connection(connection, private), private, around)
            ended = run_process(
                ProcessCommand(
                    (sys.executable, "-P", "-m", around.module, step.kind),
                    environment,
                    run_folder.workspace,
                    contract.MESSAGE_VARIABLE,
                    step.timeout,
                ),
                ProcessMonitor(on_line, on_progress, private / "progress", around.stop, around.hurry),
            )
            message = hide(_message(private / "message"))
    except OSError as error:
        raise ServiceFault(
            f"{error.filename or run_folder.log(step.name)} cannot be written: {error.strerror}"
        ) from error
    if ended.why == "timeout":
        return AttemptResult("failed", None, f"took longer than {duration(step.timeout)}")
    if ended.why == "stopped":
        return AttemptResult("stopped", None, "")
    if ended.exit_code == contract.EXIT_OK:
        return AttemptResult("succeeded", contract.EXIT_OK, "")
    return AttemptResult("failed", ended.exit_code, message or _unexplained(ended.exit_code))


def percentage(text: str) -> int | None:
    """`N/M` in percent from 0 to 100; None where the text is no such thing."""
    done, _, total = text.strip()[:64].partition("/")
    if not (done.isascii() and done.isdigit() and total.isascii() and total.isdigit() and int(total)):
        return None
    return min(100, 100 * int(done) // int(total))


def _environment(step: PlannedStep, connections: Path, private: Path, around: RunContext) -> dict[str, str]:
    return {
        **os.environ,
        contract.STEP_VARIABLE: contract.spec_to_json(step.spec),
        contract.WORKSPACE_VARIABLE: str(around.home.run(around.training_id).workspace),
        contract.CONNECTIONS_VARIABLE: str(connections),
        contract.MESSAGE_VARIABLE: str(private / "message"),
        contract.PROGRESS_VARIABLE: str(private / "progress"),
        contract.TRACKING_VARIABLE: around.home.tracking_uri,
        contract.MLFLOW_ARTIFACTS_VARIABLE: around.home.mlflow_artifacts.as_uri(),
        "PYTHONUNBUFFERED": "1",
    }


def _message(file: Path) -> str:
    with suppress(FileNotFoundError):
        lines = file.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        return "\n".join(plain_text(line) for line in lines)
    return ""


def _unexplained(exit_code: int | None) -> str:
    if exit_code == 137:
        return "was killed by signal 9; where nobody did it, the machine was short of memory"
    return f"ended with exit code {exit_code} and left no message"
