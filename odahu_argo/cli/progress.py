"""Progress of a local run on standard error: a live table on a terminal, plain lines otherwise."""

from __future__ import annotations

import sys
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from time import monotonic

from rich.console import Console, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from odahu_argo.cli import render
from odahu_argo.local.events import (
    StepEvent,
    StepFinished,
    StepListener,
    StepOutput,
    StepProgress,
    StepRetried,
    StepReused,
    StepStarted,
)
from odahu_argo.local.logs import strip_step_prefix
from odahu_argo.local.store import StepState

_REFRESH_INTERVAL = 0.1
"""Seconds."""
_STYLES: dict[StepState, tuple[str, str]] = {
    "waiting": ("·", "dim"),
    "running": ("▸", "cyan"),
    "succeeded": ("✔", "green"),
    "failed": ("✘", "red"),
    "stopped": ("■", "yellow"),
    "skipped": ("-", "dim"),
    "unknown": ("?", "yellow"),
}


@contextmanager
def show(steps: Sequence[str]) -> Iterator[StepListener]:
    """Yield a listener that displays the progress of the steps."""
    if not sys.stderr.isatty():
        yield print_event
        return
    rows = _Rows(steps)
    thread = threading.Thread(target=rows.display, name="progress")
    thread.start()
    try:
        yield rows.handle
    finally:
        rows.finished.set()
        thread.join()


def print_event(event: StepEvent) -> None:
    """Print an event as a line. Percentages are omitted."""
    match event:
        case StepReused(step):
            render.live(f"{step}  succeeded in the earlier run")
        case StepStarted(step, 1):
            render.live(f"{step}  running")
        case StepStarted(step, attempt):
            render.live(f"{step}  running, attempt {attempt}")
        case StepOutput(step, text):
            render.live(f"{step} | {strip_step_prefix(step, text)}")
        case StepRetried(step, message, wait):
            render.live(f"{step}  failed: {message}\n{step}  retrying in {wait:g} s")
        case StepFinished(step, state, seconds):
            render.live(f"{step}  {state}  {seconds:.1f} s")


class _Rows:
    """The table of steps and the log lines above it.

    Events only change its state. One thread redraws it ten times a second, so that a verbose training is not slowed down.
    """

    def __init__(self, steps: Sequence[str]) -> None:
        self.finished = threading.Event()
        self._lines: deque[Text] = deque()
        self._states: dict[str, StepState] = {step: "waiting" for step in steps}
        self._percent: dict[str, int] = {}
        self._started: dict[str, float] = {}
        self._seconds: dict[str, float] = {}
        self._width = max(len(step) for step in steps)

    def display(self) -> None:
        console = Console(stderr=True)
        with Live(get_renderable=self._table, console=console, auto_refresh=False) as live:
            while not self.finished.wait(_REFRESH_INTERVAL):
                self._print_lines(console)
                live.refresh()
            self._print_lines(console)
            live.refresh()

    def _print_lines(self, console: Console) -> None:
        if lines := [self._lines.popleft() for _ in range(len(self._lines))]:
            console.print(Text("\n").join(lines), soft_wrap=True)

    def handle(self, event: StepEvent) -> None:
        match event:
            case StepReused(step):
                self._states[step] = "succeeded"
            case StepStarted(step):
                self._states[step] = "running"
                self._started.setdefault(step, monotonic())
                self._percent.pop(step, None)
            case StepProgress(step, percent):
                self._percent[step] = percent
            case StepOutput(step, text):
                self._add_line(step, Text(strip_step_prefix(step, text)))
            case StepRetried(step, message, wait):
                self._add_line(step, Text(f"failed: {message}; retrying in {wait:g} s", "yellow"))
            case StepFinished(step, state, seconds, message):
                self._states[step] = state
                self._seconds[step] = seconds
                if state == "failed":
                    self._add_line(step, Text(message, "red"))

    def _table(self) -> RenderableType:
        grid = Table.grid(padding=(0, 2))
        for justify in ("left", "left", "right", "right"):
            grid.add_column(justify=justify)
        for step, state in list(self._states.items()):
            symbol, style = _STYLES[state]
            percentage = self._percent.get(step) if state == "running" else None
            percent = "" if percentage is None else f"{percentage} %"
            grid.add_row(Text(f"{symbol} {step}", style), Text(state, style), percent, self._elapsed(step))
        return grid

    def _elapsed(self, step: str) -> str:
        if step in self._seconds:
            return f"{self._seconds[step]:.1f} s"
        return f"{monotonic() - self._started[step]:.0f} s" if step in self._started else ""

    def _add_line(self, step: str, text: Text) -> None:
        self._lines.append(Text.assemble((f"{step.ljust(self._width)} | ", "dim"), text))
