"""Child processes in their own session, including every process that they start."""

from __future__ import annotations

import os
import selectors
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import IO, TYPE_CHECKING, Literal

from odahu_argo.errors import ServiceFault
from odahu_argo.local.logs import LineSplitter

if TYPE_CHECKING:
    from psutil import Process

GRACE_PERIOD = 5.0
"""Seconds between SIGTERM and SIGKILL."""
_KILL_TIMEOUT = 5.0
"""Seconds that processes get to disappear after SIGKILL."""
_POLL_INTERVAL = 0.1
"""Seconds between checks of the deadline, the progress file and the stop request."""
_CHUNK_SIZE = 64 * 1024


@dataclass(frozen=True, slots=True)
class ProcessCommand:
    """Program to start. `marker` is a variable of `environment` whose value identifies the process and its descendants."""

    arguments: Sequence[str]
    environment: Mapping[str, str]
    folder: Path
    marker: str
    timeout: float


@dataclass(frozen=True, slots=True)
class ProcessMonitor:
    """Callbacks for output lines and changes of `progress_file`, and events that stop the process or skip the grace."""

    on_line: Callable[[str], None]
    on_progress: Callable[[str], None]
    progress_file: Path
    stop: Event
    kill: Event


@dataclass(frozen=True, slots=True)
class ProcessResult:
    """End of a process. `exit_code` is 128 + signal number after a signal, and None unless the process exited itself."""

    exit_code: int | None
    cause: Literal["exit", "stop", "timeout"]


def run_process(command: ProcessCommand, monitor: ProcessMonitor) -> ProcessResult:
    """Run a command until it exits, is stopped or exceeds its timeout. Then terminate all processes it started.

    Raises:
        ServiceFault: the process cannot be started, or a process cannot be terminated.
    """
    try:
        process = subprocess.Popen(
            command.arguments,
            env=command.environment,
            cwd=command.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    except OSError as error:
        raise ServiceFault(f"cannot start {command.arguments[0]}: {error.strerror}") from error
    with process:
        output = _OutputReader(process, monitor)
        try:
            cause = _wait(process, output, monitor, time.monotonic() + command.timeout)
        finally:
            # After the exit code was collected, the process ID may belong to another process.
            root = process.pid if process.returncode is None else None
            terminate_tree(root, (command.marker, command.environment[command.marker]), monitor.kill.is_set)
            process.wait()
        output.drain()
    if cause != "exit":
        return ProcessResult(None, cause)
    code = process.returncode
    return ProcessResult(code if code >= 0 else 128 - code, cause)


def _wait(
    process: subprocess.Popen[bytes], output: _OutputReader, monitor: ProcessMonitor, deadline: float
) -> Literal["exit", "stop", "timeout"]:
    previous_progress = ""
    while True:
        is_running = process.poll() is None
        output.read(_POLL_INTERVAL if is_running else 0)
        with suppress(OSError):
            progress = monitor.progress_file.read_text(encoding="utf-8", errors="replace")
            if progress != previous_progress:
                previous_progress = progress
                monitor.on_progress(progress)
        if not is_running:
            return "exit"
        if monitor.stop.is_set():
            return "stop"
        if time.monotonic() > deadline:
            return "timeout"


class _OutputReader:
    """Reader of a process's output pipe with a timeout for each read."""

    def __init__(self, process: subprocess.Popen[bytes], monitor: ProcessMonitor) -> None:
        self._process = process
        self._pipe: IO[bytes] | None = process.stdout
        self._lines = LineSplitter()
        self._on_line = monitor.on_line

    def read(self, timeout: float) -> bool:
        """Pass on the output that arrives within `timeout` seconds. Return False if there is none or the pipe is closed."""
        if self._pipe is None:
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(timeout)
            return False
        with selectors.DefaultSelector() as selector:
            selector.register(self._pipe, selectors.EVENT_READ)
            if not selector.select(timeout):
                return False
        chunk = os.read(self._pipe.fileno(), _CHUNK_SIZE)
        for line in self._lines.feed(chunk):
            self._on_line(line)
        if not chunk:
            self._pipe = None
        return bool(chunk)

    def drain(self) -> None:
        """Pass on all remaining output, including an unterminated last line."""
        while self.read(0):
            pass
        for line in self._lines.end():
            self._on_line(line)


def terminate_tree(root: int | None, marker: tuple[str, str], kill_now: Callable[[], bool] = lambda: False) -> None:
    """Terminate the process `root`, its descendants, and all processes whose environment contains the variable `marker`.

    Send SIGTERM first, and SIGKILL after `GRACE_PERIOD` seconds, or as soon as `kill_now` returns True. Processes started
    in the meantime are terminated as well. When this function returns, none of the processes is alive.

    Raises:
        ServiceFault: a process survives SIGKILL.
    """
    import psutil

    processes: set[Process] = set()
    terminated: set[Process] = set()
    start = time.monotonic()
    while alive := _alive(processes := processes | _find(root, marker, processes)):
        elapsed = time.monotonic() - start
        if elapsed > GRACE_PERIOD + _KILL_TIMEOUT:
            ids = ", ".join(str(process.pid) for process in sorted(alive, key=lambda process: process.pid))
            raise ServiceFault(f"cannot terminate processes: {ids}", hint="terminate them with kill -9 PID")
        for process in alive:
            with suppress(psutil.Error):
                if elapsed >= GRACE_PERIOD or kill_now():
                    process.kill()
                elif process not in terminated:
                    process.terminate()
        terminated |= alive
        time.sleep(_POLL_INTERVAL)


def _find(root: int | None, marker: tuple[str, str], processes: set[Process]) -> set[Process]:
    import psutil

    found: set[Process] = set()
    if root is not None:
        with suppress(psutil.Error):
            found.add(psutil.Process(root))
    for process in psutil.process_iter():
        if process not in processes and process.pid != os.getpid() and _has_variable(process, marker):
            found.add(process)
    for process in found | processes:
        with suppress(psutil.Error):
            found.update(process.children(recursive=True))
    return found


def _alive(processes: set[Process]) -> set[Process]:
    """Return the processes that have not exited. Zombies have exited."""
    import psutil

    alive = set()
    for process in processes:
        with suppress(psutil.Error):
            if process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
                alive.add(process)
    return alive


def _has_variable(process: Process, variable: tuple[str, str]) -> bool:
    import psutil

    name, value = variable
    with suppress(psutil.Error, OSError):
        return process.environ().get(name) == value
    return False
