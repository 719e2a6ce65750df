"""Changes of the wall clock between and during runs."""

from __future__ import annotations

import json
import re
from datetime import datetime
from pathlib import Path

import pytest

from tests.local_engine import LocalEngine, wait_for_exit, wait_until

DAY = 86400


@pytest.fixture
def clock(engine: LocalEngine) -> Path:
    """File with the number of seconds by which the commands' clock is shifted."""
    file = engine.folder / "clock"
    file.write_text("0")
    engine.monkeypatch.setenv("FAKE_CLOCK", str(file))
    return file


def test_clock_set_back_during_a_run_does_not_affect_durations(engine: LocalEngine, clock: Path) -> None:
    engine.set_actions(train=["sleep 3"])
    process = engine.start("run", "-f", engine.manifest())
    wait_until(lambda: "train" in engine.started_steps())
    clock.write_text(str(-2 * DAY))
    run = wait_for_exit(process)
    assert run.code == 0, run.err
    [seconds] = re.findall(r"^train  succeeded  (.*) s$", run.err, re.M)
    assert 3 <= float(seconds) < DAY
    [training] = json.loads(engine.command("list", "-o", "json").out)
    train = training["status"]["local"]["steps"][-2]
    shift = datetime.fromisoformat(train["startedAt"]) - datetime.fromisoformat(train["finishedAt"])
    assert shift.days == 1, "the clock was not set back during the run"


def test_resume_and_cleanup_of_a_training_with_future_timestamps(engine: LocalEngine, clock: Path) -> None:
    clock.write_text(str(2 * DAY))
    engine.set_actions(train=["fail 2 no"])
    manifest = engine.manifest()
    assert engine.command("run", "-f", manifest).code == 4
    clock.write_text("0")
    assert engine.command("cleanup", "--older-than", "1h").out == "0 removed, 0 bytes freed\n"
    engine.set_actions()
    assert engine.command("run", "-f", manifest, "--resume").code == 0
    clock.write_text(str(-DAY))
    cleanup = engine.command("cleanup", "--all")
    assert re.fullmatch(r"removed wine: \d+ bytes\n1 removed, \d+ bytes freed\n", cleanup.out)
