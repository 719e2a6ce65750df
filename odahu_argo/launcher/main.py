"""`python launcher.pyz LAUNCH_FILE`: run a training, from the launch file to the exit code."""

import logging
import os
import sys
import traceback
import warnings
from typing import List

from odahu_argo.launcher.attempt import end_attempt
from odahu_argo.launcher.environment import select_environment
from odahu_argo.launcher.launch import launch_from_json
from odahu_argo.launcher.marker import write_marker
from odahu_argo.launcher.program import EXIT_TERMINATED, is_stopping, stop_on_sigterm
from odahu_argo.launcher.report import EXIT_FAULT, EXIT_FINAL_FAULT, LaunchError, LaunchStopped, log, write_message
from odahu_argo.launcher.training import run_training

EXIT_UNEXPECTED = 1
UMASK = 0o022
"""Argo's executor starts programs with umask 0, which would make every file world-writable."""
CHILD_OPTION = "--child"
"""Option of a step that logs the failure and marks itself as finished."""


def main(arguments: List[str]) -> int:
    """Run the launch and return the exit code of the step contract; see `odahu_argo.steps.__main__`."""
    stop_on_sigterm()
    os.umask(UMASK)
    logging.disable(logging.INFO)  # messages of MLflow's database migrations
    warnings.simplefilter("ignore")
    exit_code, reason = 0, ""
    try:
        with open(arguments[0], encoding="utf-8") as file:
            launch = launch_from_json(file.read())
        directory = os.path.dirname(os.path.abspath(arguments[0]))
        os.environ.update(launch.variables)
        select_environment(launch)
        os.chdir(launch.work_dir)  # relative paths mean the same to the program; MLflow 1 and 2 create files here
        run_training(launch, directory)
        if CHILD_OPTION not in arguments:
            write_marker(launch, directory)
    except LaunchError as error:
        exit_code, reason = error.exit_code, str(error)
    except LaunchStopped:
        pass
    except OSError as error:
        exit_code, reason = EXIT_FAULT, "{}: {}".format(error.filename or "a file", error.strerror or error)
    except Exception as error:
        if not is_stopping():
            traceback.print_exc()
        exit_code, reason = EXIT_UNEXPECTED, "unexpected {}: {}".format(type(error).__name__, error)
    if is_stopping():
        if CHILD_OPTION not in arguments:
            log("stopped by SIGTERM")
        sys.stdout.flush()
        os._exit(EXIT_TERMINATED)  # without waiting for threads of MLflow
    if exit_code != 0:
        write_message(reason)
        if CHILD_OPTION not in arguments:
            exit_code = end_attempt(exit_code, os.path.dirname(os.path.abspath(arguments[0])))
            log("{}: {}".format("fault" if exit_code in (EXIT_FAULT, EXIT_FINAL_FAULT) else "failed", reason))
    sys.stdout.flush()
    return exit_code
