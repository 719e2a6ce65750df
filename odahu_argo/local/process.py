"""One step as a child process in a session of its own, watched until nothing of it is left."""

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
"""Seconds that processes get to end by themselves."""
_KILLED = 5.0
"""Seconds that killed processes get to be gone."""
_ROUND = 0.1


def end_tree(root: int | None, mark: tuple[str, str], in_a_hurry: Callable[[], bool] = lambda: False) -> None:
    """End the process `root`, all its descendants, and all processes whose environment holds the variable `mark`.

    They are asked by SIGTERM and killed after `GRACE` seconds, or at once when `in_a_hurry`; whatever they start
    meanwhile is ended as well. At the return none of them is alive.

    Raises:
        ServiceFault: some process outlives SIGKILL.
    """
    known: set[Process] = set()
    asked: set[Process] = set()
    began = time.monotonic()
    while alive := _alive(known := known | _find(root, mark, known)):
        waited = time.monotonic() - began
        if waited > GRACE_PERIOD + _KILLED:
            numbers = ", ".join(str(process.pid) for process in sorted(alive, key=lambda process: process.pid))
            raise ServiceFault(f"these processes cannot be stopped: {numbers}", hint="end them yourself: kill -9 PID")
        for process in alive:
            with suppress(_gone()):
                if waited >= GRACE_PERIOD or in_a_hurry():
                    process.kill()
                elif process not in asked:
                    process.terminate()
        asked |= alive
        time.sleep(_ROUND)


def _find(root: int | None, mark: tuple[str, str], known: set[Process]) -> set[Process]:
    import psutil

    found: set[Process] = set()
    if root is not None:
        with suppress(_gone()):
            found.add(psutil.Process(root))
    for process in psutil.process_iter():
        if process not in known and process.pid != os.getpid() and _has(process, mark):
            found.add(process)
    for process in found | known:
        with suppress(_gone()):
            found.update(process.children(recursive=True))
    return found


def _alive(processes: set[Process]) -> set[Process]:
    """Those that still run; one that has ended and waits for its parent to notice does not."""
    import psutil

    alive = set()
    for process in processes:
        with suppress(_gone()):
            if process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
                alive.add(process)
    return alive


def _has(process: Process, mark: tuple[str, str]) -> bool:
    name, value = mark
    with suppress(_gone(), OSError):
        return process.environ().get(name) == value
    return False


def _gone() -> type[Exception]:
    """What psutil raises for a process that has ended or is another user's."""
    import psutil

    return psutil.Error


_LOOK_EVERY = 0.1
"""Seconds between two looks at the clock, the progress file and the wish to stop."""
_CHUNK = 64 * 1024


@dataclass(frozen=True, slots=True)
class ProcessCommand:
    """What to start, and the folder it works in; `mark` is a variable of `environment` that no other process tree has."""

    arguments: Sequence[str]
    environment: Mapping[str, str]
    folder: Path
    mark: str
    timeout: float


@dataclass(frozen=True, slots=True)
class ProcessMonitor:
    """Who is told: every line, every change in the text of `progress_file`; and who may stop the process, or hasten that."""

    on_line: Callable[[str], None]
    on_progress: Callable[[str], None]
    progress_file: Path
    stop: Event
    hurry: Event


@dataclass(frozen=True, slots=True)
class ProcessResult:
    """How a process ended: `exit_code` as the shell counts it (128 + signal), None where we ended it, and why we did."""

    exit_code: int | None
    why: Literal["itself", "stopped", "timeout"]


def run_process(command: ProcessCommand, watch: ProcessMonitor) -> ProcessResult:
    """Run the command to its end, or until it is told to stop or its time is up; whatever it has started ends with it.

    Raises:
        ServiceFault: it cannot be started, or a process of it cannot be ended.
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
        raise ServiceFault(f"{command.arguments[0]} cannot be started: {error.strerror}") from error
    with process:
        output = _OutputReader(process, watch)
        try:
            why = _wait(process, output, watch, time.monotonic() + command.timeout)
        finally:
            mark = (command.mark, command.environment[command.mark])
            # Once waited for, the number may be another process's.
            end_tree(process.pid if process.returncode is None else None, mark, watch.hurry.is_set)
            process.wait()
        output.drain()
    if why != "itself":
        return ProcessResult(None, why)
    code = process.returncode
    return ProcessResult(code if code >= 0 else 128 - code, why)


def _wait(
    process: subprocess.Popen[bytes], output: _OutputReader, watch: ProcessMonitor, deadline: float
) -> Literal["itself", "stopped", "timeout"]:
    seen = ""
    while True:
        running = process.poll() is None
        output.read(_LOOK_EVERY if running else 0)
        with suppress(OSError):
            if (progress := watch.progress_file.read_text(encoding="utf-8", errors="replace")) != seen:
                seen = progress
                watch.on_progress(progress)
        if not running:
            return "itself"
        if watch.stop.is_set():
            return "stopped"
        if time.monotonic() > deadline:
            return "timeout"


class _OutputReader:
    """The pipe from the process: read without ever waiting longer than asked."""

    def __init__(self, process: subprocess.Popen[bytes], watch: ProcessMonitor) -> None:
        self._process = process
        self._pipe: IO[bytes] | None = process.stdout
        self._lines = LineSplitter()
        self._on_line = watch.on_line

    def read(self, wait: float) -> bool:
        """Pass on what has come within `wait` seconds; False when the pipe has ended or nothing came."""
        if self._pipe is None:
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(wait)
            return False
        with selectors.DefaultSelector() as selector:
            selector.register(self._pipe, selectors.EVENT_READ)
            if not selector.select(wait):
                return False
        chunk = os.read(self._pipe.fileno(), _CHUNK)
        for line in self._lines.feed(chunk):
            self._on_line(line)
        if not chunk:
            self._pipe = None
        return bool(chunk)

    def drain(self) -> None:
        """Pass on all that is still in the pipe, the last unfinished line too."""
        while self.read(0):
            pass
        for line in self._lines.end():
            self._on_line(line)
