"""End of an attempt of the step `train`; see `odahu_argo.steps.attempts`."""

import os

from odahu_argo.launcher.report import EXIT_FAULT, EXIT_FINAL_FAULT

_RUNNING_FILE = "running"
_LAST_ATTEMPT_FILE = "last-attempt"


def end_attempt(exit_code: int, directory: str) -> int:
    """Record in the launch `directory` that the attempt ended on its own, and return its exit code.

    A fault is final if no retry is left.
    """
    try:
        os.unlink(os.path.join(directory, _RUNNING_FILE))
    except OSError:
        pass
    is_last = os.path.exists(os.path.join(directory, _LAST_ATTEMPT_FILE))
    return EXIT_FINAL_FAULT if exit_code == EXIT_FAULT and is_last else exit_code
