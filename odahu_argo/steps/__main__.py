"""`python -m odahu_argo.steps <kind>`: run one step or `prepare`, from its specification to its exit code."""

from __future__ import annotations

import os
import sys
import traceback
from contextlib import suppress
from importlib import import_module

from odahu_argo.contract import (
    EXIT_FAULT,
    EXIT_OK,
    EXIT_USER_ERROR,
    PREPARE,
    SPECS,
    STEP_VARIABLE,
    StepSpec,
    TrainSpec,
    Workspace,
    spec_from_json,
)
from odahu_argo.errors import OdahuArgoError, UserError
from odahu_argo.steps.attempts import StepAttempt
from odahu_argo.steps.cancellation import cancel_after_failure, cancellation, forget_failure, report_final_failure
from odahu_argo.steps.markers import (
    find_marker,
    prepare_launch_marker,
    remove_dependent_markers,
    restore_results,
    write_marker,
)
from odahu_argo.steps.runtime import exit_stopped, is_stopping, log, stop_on_sigterm

MAX_MESSAGE_BYTES = 2000
"""Length of the termination message; Kubernetes keeps 4096 bytes for all containers of a pod together."""
EXIT_UNEXPECTED = 1
UMASK = 0o022
"""Argo's executor starts programs with umask 0, which would make every file world-writable."""


def main(arguments: list[str]) -> int:
    """Run the step and return its exit code: 0, 2 user error, 3 transient fault, 4 final fault, 1 unexpected error.

    After SIGTERM the process exits with code 143, whatever happens to the step.
    """
    stop_on_sigterm()
    os.umask(UMASK)
    workspace = Workspace.from_environment()
    kind = arguments[0] if len(arguments) == 1 else ""
    attempt: StepAttempt | None = None
    exit_code, reason = EXIT_OK, ""
    try:
        spec = _read_spec(kind)
        attempt = StepAttempt(spec, workspace)
        _run_step(kind, spec, attempt, workspace)
    except OdahuArgoError as error:
        exit_code, reason = error.exit_code, str(error)
    except OSError as error:
        exit_code, reason = EXIT_FAULT, f"{error.filename or 'a file'}: {error.strerror or error}"
    except Exception as error:
        if not is_stopping():
            traceback.print_exc()
        exit_code, reason = EXIT_UNEXPECTED, f"unexpected {type(error).__name__}: {error}"
    if is_stopping():
        if attempt and (cancelled := cancellation()):
            attempt.end(EXIT_USER_ERROR)
            _report_failure(kind, EXIT_USER_ERROR, cancelled, workspace)
            exit_stopped(EXIT_USER_ERROR)
        log(kind, "stopped by SIGTERM")
        exit_stopped()
    if exit_code != EXIT_OK:
        exit_code = attempt.end(exit_code) if attempt else exit_code
        if attempt and exit_code != EXIT_FAULT:
            report_final_failure(attempt.spec, workspace)
        _report_failure(kind or "steps", exit_code, reason, workspace)
    return exit_code


def _read_spec(kind: str) -> StepSpec:
    if kind not in (*SPECS, PREPARE):
        raise UserError("no step given", hint=f"usage: python -m odahu_argo.steps {'|'.join([*SPECS, PREPARE])}")
    try:
        return spec_from_json("train" if kind == PREPARE else kind, os.environ[STEP_VARIABLE])
    except KeyError:
        raise UserError(
            f"{STEP_VARIABLE} is not set", hint="it must contain the step's specification as JSON"
        ) from None
    except ValueError as error:
        raise UserError(f"{STEP_VARIABLE}: {error}", hint="compiler and image may be of different versions") from error


def _run_step(kind: str, spec: StepSpec, attempt: StepAttempt, workspace: Workspace) -> None:
    marker = find_marker(spec, workspace)
    if kind == PREPARE and isinstance(spec, TrainSpec):
        prepare_launch_marker(spec, marker, workspace)
    if marker is not None:
        restore_results(marker, workspace)
        attempt.start_finished(marker)
        log(kind, str(marker))
        return
    attempt.start()
    if attempt.is_after_failure:
        forget_failure(spec, workspace)
    cancel_after_failure(spec, workspace)
    remove_dependent_markers(spec, workspace)
    import_module(f"odahu_argo.steps.{kind}").run(spec, workspace)
    if kind != PREPARE:
        write_marker(spec, workspace)


def _report_failure(kind: str, exit_code: int, reason: str, workspace: Workspace) -> None:
    message = reason.encode("utf-8", "replace")[:MAX_MESSAGE_BYTES].decode("utf-8", "ignore")
    with suppress(OSError):
        workspace.message.write_text(message, encoding="utf-8")
    log(kind, f"{'failed' if exit_code == EXIT_USER_ERROR else 'fault'}: {reason}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
