"""What every step process needs: an orderly stop on SIGTERM, log lines, progress reports, and a scoped environment."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import NoReturn

from odahu_argo.contract import GRACE_VARIABLE, PROGRESS_VARIABLE, grace_periods

EXIT_TERMINATED = 128 + signal.SIGTERM
CHILD_GRACE, STOP_GRACE = grace_periods(os.environ.get(GRACE_VARIABLE, ""))
"""Seconds from SIGTERM to SIGKILL for the processes that a step has started, and to the end of the step in any case."""
_POLL_INTERVAL = 0.1

stopped = threading.Event()
"""Set after SIGTERM. Loops poll it, and transfers accept it as their `stopped` argument."""
_sigterm_received = False
_step_ended = threading.Event()
_exit_code = EXIT_TERMINATED


class StepStopped(Exception):
    """The step ends early because SIGTERM was received."""


def stop_on_sigterm() -> None:
    """Handle SIGTERM from now on: set `stopped`, end all child processes, and exit with code 143 within `STOP_GRACE`.

    Nothing is raised from the signal handler, which could interrupt a lock or a thread's start at any bytecode. Python's
    C-level handler writes the signal's number to a pipe; a daemon thread reads it, even while the main thread is blocked.
    The thread sets `stopped`, sends SIGTERM to all descendants of this process, and SIGKILL after `CHILD_GRACE`. The main
    thread sees `stopped`, or the end of the child process that it waits for, cleans up and calls `exit_stopped`.

    A main thread blocked in a call without a time limit, such as a request of MLflow's client, cannot react. As a last
    resort the daemon thread therefore ends the process after `STOP_GRACE`, without the cleanup.
    """
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    signal.signal(signal.SIGTERM, _set_flag)
    threading.Thread(target=_stop_when_signalled, args=(reader,), name="stop", daemon=True).start()


def is_stopping() -> bool:
    """Return whether SIGTERM was received.

    In the main thread this is true before `stopped` is set, for example when a child process has just ended because
    the signal was sent to the whole process group, as Argo does.
    """
    return _sigterm_received or stopped.is_set()


def check_stopped() -> None:
    """Raise `StepStopped` if SIGTERM was received."""
    if is_stopping():
        raise StepStopped


def exit_stopped(exit_code: int = EXIT_TERMINATED) -> NoReturn:
    """End the process with exit code 143 or another one, as soon as its child processes have ended.

    The interpreter is not shut down in the usual way, which would wait for every thread.
    """
    global _exit_code
    _exit_code = exit_code
    sys.stdout.flush()
    sys.stderr.flush()
    _step_ended.set()
    while True:  # the daemon thread ends the process
        time.sleep(STOP_GRACE)


def _set_flag(number: int, frame: FrameType | None) -> None:
    global _sigterm_received
    _sigterm_received = True


def _stop_when_signalled(reader: int) -> None:
    while os.read(reader, 1) != bytes([signal.SIGTERM]):
        pass
    stopped.set()
    try:
        _end_children(time.monotonic())
    finally:
        os._exit(_exit_code)


def _end_children(started: float) -> None:
    """End this process's descendants until none is left and the step has ended, at most for `STOP_GRACE` seconds.

    A process is remembered when its parent has ended, and processes that the step starts meanwhile are ended too.
    """
    import psutil

    def is_alive(process: psutil.Process) -> bool:
        with suppress(psutil.Error):
            return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
        return False

    this_process = psutil.Process()
    children: set[psutil.Process] = set()
    terminated: set[psutil.Process] = set()
    while (elapsed := time.monotonic() - started) < STOP_GRACE:
        children |= set(this_process.children(recursive=True))
        children = set(filter(is_alive, children))
        if not children and _step_ended.is_set():
            return
        for child in children:
            with suppress(psutil.Error):
                if elapsed >= CHILD_GRACE:
                    child.kill()
                elif child not in terminated:
                    child.terminate()
        terminated |= children
        time.sleep(_POLL_INTERVAL)


def log(step: str, text: str) -> None:
    """Print `step: text`, with the prefix on each line of the text, and flush. Control characters become `?`."""
    for line in text.splitlines() or [""]:
        printable = "".join(character if character.isprintable() or character == "\t" else "?" for character in line)
        sys.stdout.write(f"{step}: {printable}\n")
    sys.stdout.flush()


def report_progress(percent: int) -> None:
    """Write `N/100` to Argo's progress file. Without that file, or if it cannot be written, do nothing."""
    name = os.environ.get(PROGRESS_VARIABLE)
    if not name:
        return
    path = Path(name)
    partial = path.with_name(f".{path.name}.partial")
    with suppress(OSError):
        partial.write_text(f"{percent}/100", encoding="ascii")
        partial.replace(path)


class TransferProgress:
    """Thread-safe counter of transferred bytes that reports each whole percent to Argo and a line to the log now and then.

    A line is logged at most once a second and at most every 10 percent.
    """

    def __init__(self, total: int, log_line: Callable[[str], None]) -> None:
        """Count towards `total` bytes."""
        self._total = total
        self._log_line = log_line
        self._lock = threading.Lock()
        self._transferred = 0
        self._reported_percent = -1
        self._logged_percent = 0
        self._logged_at = time.monotonic()

    def __call__(self, count: int) -> None:
        """Add `count` bytes; a negative count takes back those of an interrupted read."""
        with self._lock:
            self._transferred += count
            percent = max(0, min(100, 100 * self._transferred // self._total)) if self._total else 100
            if percent > self._reported_percent:
                self._reported_percent = percent
                report_progress(percent)
            now = time.monotonic()
            if percent < 100 and percent - self._logged_percent >= 10 and now - self._logged_at >= 1:
                self._logged_percent, self._logged_at = percent, now
                self._log_line(f"{percent} % of {format_size(self._total)}")


def format_size(size: int) -> str:
    """Return a number of bytes in powers of 1024: `532 B`, `1.4 MiB`."""
    amount = float(size)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if amount < 1024:
            return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1024
    return f"{amount:.1f} TiB"


@contextmanager
def environment(variables: Mapping[str, str]) -> Iterator[None]:
    """Set environment variables within a `with` block; afterwards restore the whole environment."""
    before = dict(os.environ)
    os.environ.update(variables)
    try:
        yield
    finally:
        for name in set(os.environ) - set(before):
            del os.environ[name]
        os.environ.update(before)


@contextmanager
def working_directory(directory: Path) -> Iterator[None]:
    """Change the working directory within a `with` block."""
    before = Path.cwd()
    os.chdir(directory)
    try:
        yield
    finally:
        os.chdir(before)
