"""ODAHU's self check of a packaged model, in a process of the training's Python.

ODAHU's trainer called the model's entry point before it accepted the model (`mlflow_to_gppi` of odahu-trainer). Unpickling
samples and loading a model run the training's code, so this module is for the step `train` only.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from importlib import resources
from pathlib import Path
from typing import Any

from odahu_argo.errors import UserError
from odahu_argo.steps.mlflow.model_binary import ENTRYPOINT, MODEL_DIRECTORY
from odahu_argo.steps.runtime import check_stopped, log

_PROGRAM = "model_self_check.py"


def self_check(binary: Path, python: str = sys.executable) -> None:
    """Call the functions of the trained model binary in the directory `binary` with its input sample, and log the result.

    The process inherits the environment and standard output. `python` must have the packages of the model.

    Raises:
        UserError: A sample is not a readable table, or a function failed. The message has the last line of its traceback.
        StepStopped: SIGTERM was received.
    """
    log("train", "self check of the packaged model")
    result_file = binary / "self-check.json"
    result_file.unlink(missing_ok=True)
    program = resources.files(__package__).joinpath(_PROGRAM).read_text("utf-8")
    model = str(binary / MODEL_DIRECTORY)
    command = [python, "-c", program, model, ENTRYPOINT, str(result_file)]
    status = subprocess.run(command, stdin=subprocess.DEVNULL, check=False).returncode
    check_stopped()
    result = _read_result(result_file, status)
    if result["failed"]:
        raise _failure(result["failed"], result["error"], result["type"])
    log("train", f"samples: {', '.join(result['samples']) or 'none'}")
    log("train", f"self check passed: {', '.join(result['called'])}")


def _read_result(file: Path, status: int) -> dict[str, Any]:
    try:
        result: dict[str, Any] = json.loads(file.read_text("utf-8"))
    except (OSError, ValueError) as error:
        message = f"the self check of the model ended with status {status}"
        if status == -signal.SIGKILL:
            hint = "the process was killed, usually because it ran out of memory: raise resources.limits.memory"
        else:
            hint = "see its output above, in the log of the step train"
        raise UserError(message, hint) from error
    return result


def _failure(failed: str, error: str, sample_type: str) -> UserError:
    if sample_type:
        hint = "log a pandas DataFrame, for example data.head().to_pickle(...)"
        return UserError(f"{failed} contains a {sample_type}, not a table", hint)
    if failed.endswith(".pkl"):
        hint = "write it with pandas' DataFrame.to_pickle, and log it to the model's artifact path"
        return UserError(f"{failed} cannot be read: {error}", hint)
    if failed == "import":
        hint = "the packages of the model must be installed where it is trained; see the traceback in the log"
        return UserError(f"the entry point of the packaged model cannot be imported: {error}", hint)
    hint = "ODAHU's model servers call the same function; see the traceback in the log"
    called = "predict_on_matrix with head_input.pkl" if failed == "predict_on_matrix" else failed
    return UserError(f"the self check of the packaged model failed in {called}: {error}", hint)
