"""The training program: its environment, its process, and the reaction to SIGTERM."""

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from typing import Any, Callable, Dict, Tuple

from odahu_argo.launcher.report import LaunchError, LaunchStopped, user_error

EXIT_TERMINATED = 128 + signal.SIGTERM
_GRACE_VARIABLE = "ARGO_TERMINATION_GRACE_PERIOD_SECONDS"
_DEFAULT_GRACE = 30.0
"""Kubernetes' default for the grace period of a pod, in seconds."""


def _grace_period() -> float:
    text = os.environ.get(_GRACE_VARIABLE, "")
    return float(text) if text.isdigit() and int(text) else _DEFAULT_GRACE


CHILD_GRACE = max(_grace_period() - 20, _grace_period() / 3)
"""Seconds between SIGTERM and SIGKILL for the program: the grace period of the pod, except for the time to end the run. A
step that started the launcher kills both 5 seconds later."""
STOP_GRACE = max(_grace_period() - 10, _grace_period() * 2 / 3)
"""Seconds after SIGTERM within which the launcher exits in any case."""
STOP_THREAD = "stop"
"""Name of the thread that ends the launcher after SIGTERM."""
_POLL_INTERVAL = 0.1

_sigterm_received = False


def stop_on_sigterm() -> None:
    """Handle SIGTERM from now on. The handler only sets a flag, which loops poll.

    If a call without a time limit, such as a request of MLflow's client, blocks the main thread, a daemon thread ends the
    process after `STOP_GRACE`.
    """
    signal.signal(signal.SIGTERM, _set_flag)
    threading.Thread(target=_exit_after_grace, name=STOP_THREAD, daemon=True).start()


def is_stopping() -> bool:
    """Return whether SIGTERM was received."""
    return _sigterm_received


def check_stopped() -> None:
    """Raise `LaunchStopped` if SIGTERM was received."""
    if _sigterm_received:
        raise LaunchStopped


def _set_flag(number: int, frame: Any) -> None:
    global _sigterm_received
    _sigterm_received = True


def _exit_after_grace() -> None:
    while not _sigterm_received:
        time.sleep(_POLL_INTERVAL)
    time.sleep(STOP_GRACE)
    os._exit(EXIT_TERMINATED)


def run_program(command: str, work_dir: str, environment: Dict[str, str]) -> int:
    """Run a shell command to its end and return its exit status. Its output goes to the log.

    The command runs with bash as in `mlflow run`, or with sh in an image without bash. The directory of this Python is the
    first on PATH, so that `python` is the Python of the selected environment.

    Raises:
        LaunchError: The shell cannot be started.
        LaunchStopped: SIGTERM was received. All processes of the program have ended.
    """
    check_stopped()
    path = os.pathsep.join([_python_directory(work_dir), environment.get("PATH", os.defpath)])
    shell = shutil.which("bash") or "/bin/sh"
    try:
        process = subprocess.Popen(
            [shell, "-c", command],
            cwd=work_dir,
            env=dict(environment, PATH=path, PYTHONUNBUFFERED="1"),
            start_new_session=True,
        )
    except OSError as error:
        raise user_error(
            "{} cannot be started: {}".format(shell, error.strerror), "use an image with a shell"
        ) from error
    return wait(process)


def wait(process: Any) -> int:
    """Wait for a process that leads its own session, and return its exit status.

    Raises:
        LaunchStopped: SIGTERM was received. The processes of the session were terminated.
    """
    return int(_poll(process, process.wait))


def read_output(process: Any) -> Tuple[str, str]:
    """Return standard output and standard error of a process that leads its own session, after its end.

    Raises:
        LaunchStopped: SIGTERM was received. The processes of the session were terminated.
    """
    output, errors = _poll(process, process.communicate)
    return str(output), str(errors)


def _poll(process: Any, wait_for_end: Callable[..., Any]) -> Any:
    """Return the result of a method of the process that waits for its end; terminate the process after SIGTERM."""
    while True:
        try:
            result = wait_for_end(timeout=_POLL_INTERVAL)
        except subprocess.TimeoutExpired:
            if _sigterm_received:
                _terminate(process)
                raise LaunchStopped from None
            continue
        check_stopped()
        return result


def program_error(status: int) -> LaunchError:
    """Return the user error for the exit status of a program that failed."""
    signal_number = -status if status < 0 else status - 128
    if signal_number == signal.SIGKILL:
        return user_error(
            "the training program was killed (signal 9), usually because it ran out of memory",
            "raise resources.limits.memory of the training",
        )
    return user_error(
        "the training program exited with status {}".format(status),
        "see its output above, in the log of the step train",
    )


def _terminate(process: Any) -> None:
    _signal_session(process, signal.SIGTERM)
    try:
        process.wait(timeout=CHILD_GRACE)
    except subprocess.TimeoutExpired:
        pass
    _signal_session(process, signal.SIGKILL)
    process.wait()


def _signal_session(process: Any, number: int) -> None:
    try:
        os.killpg(process.pid, number)
    except OSError:
        pass


def _python_directory(work_dir: str) -> str:
    """Return a directory whose `python` is this Python. Some images only have `python3`."""
    directory = os.path.dirname(sys.executable)
    if os.path.exists(os.path.join(directory, "python")):
        return directory
    own = os.path.join(os.path.dirname(os.path.abspath(sys.argv[0])), "bin")
    os.makedirs(own, exist_ok=True)
    link = os.path.join(own, "python")
    if not os.path.lexists(link):
        os.symlink(sys.executable, link)
    return own
