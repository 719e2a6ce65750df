"""`python -m odahu_argo.steps <kind>`: one step, from its specification to its exit code."""

from __future__ import annotations

import os
import sys
import traceback
from contextlib import suppress
from importlib import import_module

from odahu_argo.contract import EXIT_FAULT, EXIT_OK, EXIT_USER_ERROR, SPECS, STEP_VARIABLE, Workspace, spec_from_json
from odahu_argo.errors import OdahuArgoError, UserError
from odahu_argo.steps.log import log
from odahu_argo.steps.processes import Terminated, terminate_on_signal

LONGEST_MESSAGE = 2000
"""Bytes; Kubernetes keeps 4096 for all containers of a pod together."""
EXIT_UNEXPECTED = 1
UMASK = 0o022
"""Argo's executor starts programs with umask 0, under which every file could be written by everyone."""


def main(arguments: list[str]) -> int:
    """Run the step and return its exit code: 0, 2 a user's mistake, 3 a fault worth a retry, 1 our own, 143 stopped."""
    os.umask(UMASK)
    workspace = Workspace.from_environment()
    kind = arguments[0] if len(arguments) == 1 else ""
    terminate_on_signal()
    try:
        if kind not in SPECS:
            raise UserError("which step?", hint=f"python -m odahu_argo.steps {'|'.join(SPECS)}")
        _run(kind, workspace)
        return EXIT_OK
    except OdahuArgoError as error:
        return _failed(kind or "steps", str(error), error.exit_code, workspace)
    except Terminated as stopped:
        log(kind, "stopped by SIGTERM")
        return int(str(stopped.code))
    except OSError as error:
        return _failed(kind, f"{error.filename or 'a file'}: {error.strerror or error}", EXIT_FAULT, workspace)
    except Exception as error:
        traceback.print_exc()
        return _failed(kind, f"unexpected {type(error).__name__}: {error}", EXIT_UNEXPECTED, workspace)


def _run(kind: str, workspace: Workspace) -> None:
    try:
        spec = spec_from_json(kind, os.environ[STEP_VARIABLE])
    except KeyError:
        raise UserError(f"{STEP_VARIABLE} is not set", hint="it must hold the step's specification as JSON") from None
    except ValueError as error:
        raise UserError(f"{STEP_VARIABLE}: {error}", hint="compiler and image may be of different versions") from error
    import_module(f"odahu_argo.steps.{kind}").run(spec, workspace)


def _failed(kind: str, reason: str, exit_code: int, workspace: Workspace) -> int:
    shortened = reason.encode("utf-8", "replace")[:LONGEST_MESSAGE].decode("utf-8", "ignore")
    with suppress(OSError):
        workspace.message.write_text(shortened, encoding="utf-8")
    log(kind, f"{'failed' if exit_code == EXIT_USER_ERROR else 'fault'}: {reason}")
    return exit_code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
