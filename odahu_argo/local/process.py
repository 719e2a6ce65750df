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
from typing import IO, Literal

from odahu_argo.errors import ServiceFault
from odahu_argo.local.lines import Lines
from odahu_argo.local.process_tree import end_tree

_LOOK_EVERY = 0.1
"""Seconds between two looks at the clock, the progress file and the wish to stop."""
_CHUNK = 64 * 1024


@dataclass(frozen=True, slots=True)
class Command:
    """What to start, and the folder it works in; `mark` is a variable of `environment` that no other process tree has."""

    arguments: Sequence[str]
    environment: Mapping[str, str]
    folder: Path
    mark: str
    timeout: float


@dataclass(frozen=True, slots=True)
class Watch:
    """Who is told: every line, every change in the text of `progress_file`; and who may stop the process, or hasten that."""

    on_line: Callable[[str], None]
    on_progress: Callable[[str], None]
    progress_file: Path
    stop: Event
    hurry: Event


@dataclass(frozen=True, slots=True)
class Ended:
    """How a process ended: `exit_code` as the shell counts it (128 + signal), None where we ended it, and why we did."""

    exit_code: int | None
    why: Literal["itself", "stopped", "timeout"]


def run_process(command: Command, watch: Watch) -> Ended:
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
        output = _Output(process, watch)
        try:
            why = _wait(process, output, watch, time.monotonic() + command.timeout)
        finally:
            mark = (command.mark, command.environment[command.mark])
            # Once waited for, the number may be another process's.
            end_tree(process.pid if process.returncode is None else None, mark, watch.hurry.is_set)
            process.wait()
        output.drain()
    if why != "itself":
        return Ended(None, why)
    code = process.returncode
    return Ended(code if code >= 0 else 128 - code, why)


def _wait(
    process: subprocess.Popen[bytes], output: _Output, watch: Watch, deadline: float
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


class _Output:
    """The pipe from the process: read without ever waiting longer than asked."""

    def __init__(self, process: subprocess.Popen[bytes], watch: Watch) -> None:
        self._process = process
        self._pipe: IO[bytes] | None = process.stdout
        self._lines = Lines()
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
