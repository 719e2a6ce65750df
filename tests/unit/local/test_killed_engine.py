"""The engine as a process of its own, killed by SIGKILL at any moment, with the FAKE steps of this folder."""

from __future__ import annotations

import functools
import itertools
import os
import random
import signal
import sqlite3
import time
from collections import Counter
from contextlib import closing
from dataclasses import dataclass, field
from multiprocessing import forkserver, get_context
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import pytest

from odahu_argo import build_plans, load, resolve
from odahu_argo.local.engine import run
from odahu_argo.local.home import Home
from odahu_argo.local.queries import list_trainings
from odahu_argo.local.store import LocalTraining
from odahu_argo.profile import Profile
from tests.unit.local.conftest import Bench

KILLS = 50
RESULTS = ("the-commit-id", "the-run-id", "the-artifact-name")


def engine(manifest: Path, home: Path, resume: bool, environment: dict[str, str], dies_after: int | None) -> None:
    """One run, to its end or until the `dies_after`th change of the store has been written."""
    os.environ.update(environment)
    if dies_after is not None:
        sqlite3.connect = functools.partial(sqlite3.connect, factory=deadly(dies_after))  # type: ignore[assignment]
    settings = Profile()
    [resolved] = resolve(load([manifest]), settings)
    [plan] = build_plans([resolved], settings)
    run(plan, resolved.connections, Home(home), resume=resume, module="fake_steps")


def deadly(after: int) -> type[sqlite3.Connection]:
    changes = iter(range(1, after + 1))

    class Deadly(sqlite3.Connection):
        def execute(self, sql: str, *values: Any) -> sqlite3.Cursor:
            done = super().execute(sql, *values)
            if sql == "COMMIT" and self.total_changes and next(changes) == after:
                os.kill(os.getpid(), signal.SIGKILL)
            return done

    return Deadly


@dataclass
class Engines:
    """Starts one engine after the other on the same home, and looks at what each has left."""

    bench: Bench
    manifest: Path
    left: LocalTraining | None = None
    moments: Counter[str] = field(default_factory=Counter)
    kept: int = 0

    def start(self, dies_after: int | None = None) -> BaseProcess:
        resume = self.left is not None and self.left.state != "succeeded"
        context = get_context("forkserver")
        environment = {name: os.environ[name] for name in ("TMPDIR", "FAKE_TRACE", "PYTHONPATH")}
        process = context.Process(
            target=engine, args=(self.manifest, self.bench.home.root, resume, environment, dies_after)
        )
        process.start()
        return process

    def after(self, process: BaseProcess, began_before: int) -> None:
        """What has been recorded as finished is not run again, and the store is whole."""
        done = {step.name for step in self.left.steps if step.state == "succeeded"} if self.left else set()
        if self.left is not None and self.left.state == "succeeded":
            done = set()
        assert done.isdisjoint(self.bench.began()[began_before:])
        until = time.monotonic() + 20
        self.left = next(iter(list_trainings(self.bench.home)), None)
        while self.left is not None and self.left.state == "running" and time.monotonic() < until:
            time.sleep(0.1)  # a step that was being started holds the engine's lock until it has begun
            self.left = next(iter(list_trainings(self.bench.home)), None)
        if self.bench.home.store_file.exists():
            with closing(sqlite3.connect(self.bench.home.store_file)) as db:
                assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        if self.left is None:
            self.moments["before its record"] += process.exitcode == -signal.SIGKILL
            return
        assert self.left.state in ("unknown", "succeeded")
        now_done = {step.name for step in self.left.steps if step.state == "succeeded"}
        assert done <= now_done
        self.kept += len(done)
        for step, result, expected in zip(("checkout", "train", "package"), self.results(), RESULTS, strict=True):
            assert result == (expected if step in now_done else "")
        if process.exitcode == -signal.SIGKILL:
            self.moments[f"{len(now_done)} of {len(self.left.steps)} steps finished"] += 1

    def results(self) -> tuple[str, str, str]:
        assert self.left is not None
        return self.left.commit_id, self.left.run_id, self.left.artifact_name

    def to_the_end(self) -> None:
        began = len(self.bench.began())
        process = self.start()
        process.join()
        assert process.exitcode == 0
        self.after(process, began)
        assert self.left is not None
        assert (self.left.state, self.results()) == ("succeeded", RESULTS)
        assert {step.state for step in self.left.steps} == {"succeeded"}
        assert list((self.bench.folder / "tmp").glob("odahu*")) == []


@pytest.fixture(scope="module", autouse=True)
def _ready_to_fork() -> None:
    """The server that engines are forked from starts before a test has a folder, whose name is too long for its socket."""
    get_context("forkserver").set_forkserver_preload([__name__])
    forkserver.ensure_running()


@pytest.fixture
def engines(bench: Bench) -> Engines:
    return Engines(bench, bench.manifest())


@pytest.mark.timeout(900)
def test_killed_at_fifty_random_moments_it_loses_no_finished_step_and_goes_on(engines: Engines) -> None:
    seed = int(os.environ.get("ODAHU_ARGO_SEED") or random.randrange(2**32))
    print(f"ODAHU_ARGO_SEED={seed} repeats this test")
    moment = random.Random(seed)
    began_at = time.monotonic()
    engines.to_the_end()
    longest = 1.2 * (time.monotonic() - began_at)
    kills = 0
    while kills < KILLS:
        began = len(engines.bench.began())
        process = engines.start()
        process.join(moment.uniform(0, longest))
        process.kill()
        process.join()
        kills += process.exitcode == -signal.SIGKILL
        engines.after(process, began)
    engines.to_the_end()
    print(f"{kills} kills, {engines.kept} finished steps kept; {dict(engines.moments)}")


def test_killed_after_any_change_of_its_store_it_goes_on(engines: Engines) -> None:
    for number in itertools.count(1):
        began = len(engines.bench.began())
        process = engines.start(dies_after=number)
        process.join()
        engines.after(process, began)
        if process.exitcode == 0:
            break
        engines.to_the_end()
    assert number > 10
    print(f"killed after each of {number - 1} changes; {engines.kept} finished steps kept")
