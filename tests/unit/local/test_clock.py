"""The clock of this machine set back, between runs and in the middle of one."""

from __future__ import annotations

import json
import re
from datetime import datetime
from pathlib import Path

import pytest

from tests.unit.local.conftest import Bench
from tests.unit.local.test_commands import ended, until

DAY = 86400


@pytest.fixture
def clock(bench: Bench) -> Path:
    """A file that says by how many seconds the clock of the commands is off."""
    file = bench.folder / "clock"
    file.write_text("0")
    bench.environment.setenv("FAKE_CLOCK", str(file))
    return file


def test_a_clock_that_is_set_back_during_a_run_changes_neither_its_end_nor_its_durations(
    bench: Bench, clock: Path
) -> None:
    bench.steps_do(train=["sleep 3"])
    process = bench.command("run", "-f", bench.manifest())
    until(lambda: "train" in bench.began())
    clock.write_text(str(-2 * DAY))
    code, _, err = ended(process)
    assert code == 0, err
    [seconds] = re.findall(r"^train  succeeded  (.*) s$", err, re.M)
    assert 3 <= float(seconds) < 60
    [shown] = json.loads(ended(bench.command("list", "-o", "json"))[1])
    train = shown["status"]["local"]["steps"][-2]
    back = datetime.fromisoformat(train["startedAt"]) - datetime.fromisoformat(train["finishedAt"])
    assert back.days == 1, "the clock was not set back, and this test has tested nothing"


def test_a_training_from_the_future_can_be_resumed_and_cleaned_up(bench: Bench, clock: Path) -> None:
    clock.write_text(str(2 * DAY))
    bench.steps_do(train=["fail 2 no"])
    manifest = bench.manifest()
    assert ended(bench.command("run", "-f", manifest))[0] == 4
    clock.write_text("0")
    assert ended(bench.command("cleanup", "--older-than", "1h"))[1] == "0 removed, 0 bytes freed\n"
    bench.steps_do()
    assert ended(bench.command("run", "-f", manifest, "--resume"))[0] == 0
    clock.write_text(str(-DAY))
    _, out, _ = ended(bench.command("cleanup", "--all"))
    assert re.fullmatch(r"removed wine: \d+ bytes\n1 removed, \d+ bytes freed\n", out)
