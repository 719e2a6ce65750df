"""ODAHU's self check of a packaged model, in a process of the training's Python.

ODAHU's trainer called the model's entry point before it accepted the model (`mlflow_to_gppi` of odahu-trainer).
"""

import json
import os
import shutil
import signal
from typing import Any, Dict

from odahu_argo.launcher.fork import start_python
from odahu_argo.launcher.models import copy_tree
from odahu_argo.launcher.program import wait
from odahu_argo.launcher.report import LaunchError, log, user_error

ENTRYPOINT = "entrypoint"
PROGRAM_FILE = "model_self_check.py"
ENTRYPOINT_FILE = "model_entrypoint.py"
"""Files of the launch: the program that checks a model, and the entry point of every packaged model."""


def check_model(model: str, directory: str) -> None:
    """Check a model in a copy with ODAHU's entry point, as it will be packaged. `directory` is the launch.

    Raises:
        LaunchError: A sample is not a readable table, or a function failed. The message has the last line of its traceback.
        LaunchStopped: SIGTERM was received.
    """
    copy = os.path.join(directory, "self-check")
    shutil.rmtree(copy, ignore_errors=True)
    os.makedirs(copy)
    copy_tree(model, copy)
    entrypoint = os.path.join(copy, ENTRYPOINT + ".py")
    if os.path.lexists(entrypoint):
        os.unlink(entrypoint)
    shutil.copyfile(os.path.join(directory, ENTRYPOINT_FILE), entrypoint)
    self_check(copy, os.path.join(directory, PROGRAM_FILE))
    shutil.rmtree(copy, ignore_errors=True)


def self_check(model: str, program: str) -> None:
    """Call the functions of the entry point in the directory `model` with its input sample, and log the result.

    The process inherits the environment and standard output. Raises the same errors as `check_model`.
    """
    log("self check of the packaged model")
    result_file = model + "-result.json"
    if os.path.exists(result_file):
        os.unlink(result_file)
    status = wait(start_python(program, [model, ENTRYPOINT, result_file]))
    result = _read_result(result_file, status)
    if result["failed"]:
        raise _failure(result["failed"], result["error"], result["type"])
    log("samples: {}".format(", ".join(result["samples"]) or "none"))
    log("self check passed: {}".format(", ".join(result["called"])))


def _read_result(file: str, status: int) -> Dict[str, Any]:
    try:
        with open(file, encoding="utf-8") as result_file:
            result: Dict[str, Any] = json.load(result_file)
    except (OSError, ValueError) as error:
        message = "the self check of the model ended with status {}".format(status)
        if status == -signal.SIGKILL:
            hint = "the process was killed, usually because it ran out of memory: raise resources.limits.memory"
        else:
            hint = "see its output above, in the log of the step train"
        raise user_error(message, hint) from error
    return result


def _failure(failed: str, error: str, sample_type: str) -> LaunchError:
    if sample_type:
        hint = "log a pandas DataFrame, for example data.head().to_pickle(...)"
        return user_error("{} contains a {}, not a table".format(failed, sample_type), hint)
    if failed.endswith(".pkl"):
        hint = "write it with pandas' DataFrame.to_pickle, and log it to the model's artifact path"
        return user_error("{} cannot be read: {}".format(failed, error), hint)
    if failed == "import":
        hint = "the packages of the model must be installed where it is trained; see the traceback in the log"
        return user_error("the entry point of the packaged model cannot be imported: {}".format(error), hint)
    hint = "ODAHU's model servers call the same function; see the traceback in the log"
    called = "predict_on_matrix with head_input.pkl" if failed == "predict_on_matrix" else failed
    return user_error("the self check of the packaged model failed in {}: {}".format(called, error), hint)
