"""Child processes that start as a copy of the launcher, to use the modules that it has imported: MLflow takes seconds."""

import logging
import os
import runpy
import signal
import subprocess
import sys
import threading
import time
import traceback
from typing import Any, List, Optional

from odahu_argo.launcher.program import STOP_THREAD

_POLL_INTERVAL = 0.02


class ForkedProcess:
    """A child process with the parts of `subprocess.Popen` that `program.wait` uses. It leads its own session."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self._status: Optional[int] = None

    def wait(self, timeout: Optional[float] = None) -> int:
        """Wait for the end and return the exit status, which is negative after a signal.

        Raises:
            subprocess.TimeoutExpired: The process still runs after `timeout` seconds.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        while self._status is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG if timeout is not None else 0)
            if pid:
                self._status = -os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)
            elif deadline is not None and time.monotonic() > deadline:
                raise subprocess.TimeoutExpired("self check", timeout or 0.0)
            else:
                time.sleep(_POLL_INTERVAL)
        return self._status


def start_python(program: str, arguments: List[str]) -> Any:
    """Start a Python program of this Python with standard input closed, in its own session.

    The process is a copy of this one if that is safe, else a new Python.
    """
    if not _can_fork():
        return subprocess.Popen([sys.executable, program, *arguments], stdin=subprocess.DEVNULL, start_new_session=True)
    sys.stdout.flush()
    sys.stderr.flush()
    pid = os.fork()
    if pid == 0:
        _run(program, arguments)
    return ForkedProcess(pid)


def _can_fork() -> bool:
    """Return whether MLflow is imported and no thread of it exists, whose locks a copy would inherit.

    On macOS, system libraries do not work in copies of a process.
    """
    names = {thread.name for thread in threading.enumerate()}
    is_launcher = names == {threading.main_thread().name, STOP_THREAD}
    return sys.platform == "linux" and is_launcher and "mlflow" in sys.modules


def _run(program: str, arguments: List[str]) -> None:
    """Run the program in the copy, without modules and settings of the launcher, and exit."""
    code: Any = 1
    try:
        os.setsid()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_DFL)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        logging.disable(logging.NOTSET)
        for name in [name for name in sys.modules if name.partition(".")[0] == "odahu_argo"]:
            del sys.modules[name]
        sys.argv = [program, *arguments]
        runpy.run_path(program, run_name="__main__")
        code = 0
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else int(error.code is not None)
    except BaseException:
        traceback.print_exc()
    finally:
        try:
            sys.stdout.flush()
            sys.stderr.flush()
        finally:
            os._exit(code)
