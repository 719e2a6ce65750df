"""The clock of this machine set back, between runs and in the middle of one."""

from __future__ import annotations

import json
import os
import re
from datetime import datetime

from tests.servers.clock import Clock, clock
from tests.unit.local.conftest import Bench
from tests.unit.local.test_commands import ended, until

__all__ = ["clock"]


def test_a_clock_that_is_set_back_during_a_run_changes_neither_its_end_nor_its_durations(
    bench: Bench, clock: Clock
) -> None:
    bench.steps_do(train=["sleep 3"])
    process = bench.command("run", "-f", bench.manifest(), env={**os.environ, **clock.variables})
    until(lambda: "train" in bench.began(), 100)
    clock.set("-2d")
    code, _, err = ended(process)
    assert code == 0, err
    [seconds] = re.findall(r"^train  succeeded  (.*) s$", err, re.M)
    assert 3 <= float(seconds) < 60
    [shown] = json.loads(ended(bench.command("list", "-o", "json"))[1])
    train = shown["status"]["local"]["steps"][-2]
    back = datetime.fromisoformat(train["startedAt"]) - datetime.fromisoformat(train["finishedAt"])
    assert back.days == 1, "the clock was not set back, and this test has tested nothing"


def test_a_training_from_the_future_can_be_resumed_and_cleaned_up(bench: Bench, clock: Clock) -> None:
    clock.set("+2d")
    bench.steps_do(train=["fail 2 no"])
    manifest = bench.manifest()
    assert ended(bench.command("run", "-f", manifest, env={**os.environ, **clock.variables}))[0] == 4
    bench.steps_do(train=["fail 2 still no"])
    assert ended(bench.command("run", "-f", manifest, "--resume", env={**os.environ, **clock.variables}))[0] == 4
    assert ended(bench.command("cleanup", "--older-than", "1h"))[1] == "0 removed, 0 bytes freed\n"
    _, out, _ = ended(bench.command("cleanup", "--all"))
    assert re.fullmatch(r"removed wine: \d+ bytes\n1 removed, \d+ bytes freed\n", out)
