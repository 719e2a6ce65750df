"""Programs that do the same work, run by turns: how long each takes, how much processor and how much memory."""

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

_USAGE = Path(__file__).parent / "scripts" / "usage.py"


@dataclass(frozen=True)
class Sample:
    """One run: seconds on the clock, seconds of processor (user and system, children included), bytes of memory at most."""

    wall: float
    cpu: float
    peak: int


def _nothing() -> None:
    pass


@dataclass(frozen=True)
class Contender:
    """A program that does the work of a row. What comes `before` and `after` it is not measured; `after` checks its work."""

    name: str
    command: Sequence[str]
    version: str = ""
    environment: Mapping[str, str] = field(default_factory=dict)
    before: Callable[[], object] = _nothing
    after: Callable[[], object] = _nothing
    output: Path | None = None
    """Where its standard output goes, else nowhere."""


def put_aside(folder: Path) -> None:
    """Give the folder another name, if it is there; ext4 is slow to make files where many have just been deleted."""
    if folder.exists():
        folder.rename(folder.with_name(f"{folder.name}-{uuid.uuid4().hex}"))


class Failed(Exception):
    """A program did not do its work; the message ends with what it said."""


def run(contender: Contender) -> Sample:
    """Run it once.

    Raises:
        Failed: it ended with another code than 0, or its work is not there.
    """
    contender.before()
    target = Path(os.devnull) if contender.output is None else contender.output
    with tempfile.TemporaryFile() as said, target.open("wb") as output, tempfile.NamedTemporaryFile("r") as took:
        command = [sys.executable, "-S", "-E", str(_USAGE), took.name, *contender.command]
        environment = _environment(contender.environment)
        ended = subprocess.run(command, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=said)
        if ended.returncode:
            said.seek(0)
            what = said.read()[-2000:].decode(errors="replace")
            raise Failed(f"{contender.name} ended with {ended.returncode}: {what}")
        sample = Sample(**json.load(took))
    try:
        contender.after()
    except AssertionError as error:
        raise Failed(f"{contender.name} has not done its work: {error}") from error
    return sample


def _environment(more: Mapping[str, str]) -> dict[str, str]:
    """Python may keep its bytecode, as it does for a user."""
    kept = {name: value for name, value in os.environ.items() if name not in ("PYTHONDONTWRITEBYTECODE", "PYTHONPATH")}
    return {**kept, **more}


def by_turns(
    contenders: Sequence[Contender], repeats: int, tell: Callable[[str], None], warm: bool = True
) -> tuple[dict[str, list[Sample]], dict[str, str]]:
    """Run all of them, `repeats` times over, each round beginning with another; and say why those are missing that failed.

    Where it is `warm`, each has run once before, for disk caches and bytecode. The i-th samples of two are of one round.
    """
    samples: dict[str, list[Sample]] = {}
    absent: dict[str, str] = {}
    for round in range(-1 if warm else 0, repeats):
        turn = max(round, 0) % len(contenders)
        for each in [*contenders[turn:], *contenders[:turn]]:
            if each.name in absent:
                continue
            try:
                sample = run(each)
            except (Failed, OSError) as error:
                samples.pop(each.name, None)
                absent[each.name] = " ".join(str(error).split())[-300:]
                tell(f"  {each.name} is left out: {absent[each.name]}")
                continue
            if round >= 0:
                samples.setdefault(each.name, []).append(sample)
            told = "warm-up" if round < 0 else f"{round + 1}/{repeats}"
            tell(f"  {told} {each.name}: {sample.wall:.2f} s, {sample.cpu:.2f} s of processor, {sample.peak >> 20} MiB")
    return samples, absent
