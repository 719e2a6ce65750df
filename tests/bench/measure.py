"""Measure time, CPU time and memory of programs, alternating between them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.conftest import ROOT

_USAGE = Path(__file__).parent / "scripts" / "usage.py"


@dataclass(frozen=True)
class Sample:
    """One run: wall time and CPU time in seconds (including children), maximum resident set in bytes."""

    wall: float
    cpu: float
    peak: int


def _nothing() -> None:
    pass


@dataclass(frozen=True)
class Contender:
    """A program that does the work of a row. `before` prepares and `after` checks a run; neither is measured."""

    name: str
    command: Sequence[str]
    version: str = ""
    environment: Mapping[str, str] = field(default_factory=dict)
    before: Callable[[], object] = _nothing
    after: Callable[[], object] = _nothing
    output: Path | None = None
    """File for standard output; None discards it."""


def put_aside(folder: Path) -> None:
    """Rename the directory if it exists: ext4 creates files slowly after many were deleted."""
    if folder.exists():
        folder.rename(folder.with_name(f"{folder.name}-{uuid.uuid4().hex}"))


class Failed(Exception):
    """A program failed; the message ends with its standard error."""


def run(contender: Contender) -> Sample:
    """Run a contender once.

    Raises:
        Failed: its exit code is not 0, or `after` does not find its output.
    """
    contender.before()
    target = Path(os.devnull) if contender.output is None else contender.output
    with tempfile.TemporaryFile() as errors, target.open("wb") as output, tempfile.NamedTemporaryFile("r") as report:
        command = [sys.executable, "-S", "-E", str(_USAGE), report.name, *contender.command]
        environment = _environment(contender.environment)
        result = subprocess.run(command, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=errors)
        if result.returncode:
            errors.seek(0)
            text = errors.read()[-2000:].decode(errors="replace")
            raise Failed(f"{contender.name} exited with {result.returncode}: {text}")
        sample = Sample(**json.load(report))
    try:
        contender.after()
    except AssertionError as error:
        raise Failed(f"{contender.name} produced no result: {error}") from error
    return sample


def _environment(more: Mapping[str, str]) -> dict[str, str]:
    """The environment with bytecode caching enabled, as users have it."""
    kept = {name: value for name, value in os.environ.items() if name not in ("PYTHONDONTWRITEBYTECODE", "PYTHONPATH")}
    return {**kept, **more}


def measure_rounds(
    contenders: Sequence[Contender], repeats: int, tell: Callable[[str], None], warm: bool = True
) -> tuple[dict[str, list[Sample]], dict[str, str]]:
    """Run all contenders in `repeats` rounds, each starting with another one; return samples and failures by name.

    With `warm`, each runs once before, to fill disk caches and bytecode. The i-th samples are those of the i-th round.
    """
    samples: dict[str, list[Sample]] = {}
    absent: dict[str, str] = {}
    for round in range(-1 if warm else 0, repeats):
        turn = max(round, 0) % len(contenders)
        for contender in [*contenders[turn:], *contenders[:turn]]:
            if contender.name in absent:
                continue
            try:
                sample = run(contender)
            except (Failed, OSError) as error:
                samples.pop(contender.name, None)
                reason = str(error).replace(f"{ROOT}/", "")  # reasons are published
                absent[contender.name] = " ".join(reason.split())[-300:]
                tell(f"  {contender.name} is skipped: {absent[contender.name]}")
                continue
            if round >= 0:
                samples.setdefault(contender.name, []).append(sample)
            label = "warm-up" if round < 0 else f"{round + 1}/{repeats}"
            tell(f"  {label} {contender.name}: {sample.wall:.2f} s, {sample.cpu:.2f} s CPU, {sample.peak >> 20} MiB")
    return samples, absent
