"""Engines killed by SIGKILL at any moment, with fake steps."""

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
from tests.local_engine import LocalEngine

KILLS = int(os.environ.get("ODAHU_ARGO_KILLS", "15"))
RESULTS = ("the-commit-id", "the-run-id", "the-artifact-name")


def run_engine(
    manifest: Path, home: Path, resume: bool, environment: dict[str, str], kill_after_commits: int | None
) -> None:
    """Run the training in this process, which kills itself after a number of store commits."""
    os.environ.update(environment)
    if kill_after_commits is not None:
        factory = killing_connection(kill_after_commits)
        sqlite3.connect = functools.partial(sqlite3.connect, factory=factory)  # type: ignore[assignment]
    settings = Profile()
    [resolved] = resolve(load([manifest]), settings)
    [plan] = build_plans([resolved], settings)
    run(plan, resolved.connections, Home(home), resume=resume, module="fake_steps")


def killing_connection(commits: int) -> type[sqlite3.Connection]:
    remaining = iter(range(1, commits + 1))

    class KillingConnection(sqlite3.Connection):
        def execute(self, sql: str, *values: Any) -> sqlite3.Cursor:
            cursor = super().execute(sql, *values)
            if sql == "COMMIT" and self.total_changes and next(remaining) == commits:
                os.kill(os.getpid(), signal.SIGKILL)
            return cursor

    return KillingConnection


@dataclass
class EngineProcesses:
    """Engine processes started one after another on the same home, with checks of what each left behind."""

    engine: LocalEngine
    manifest: Path
    training: LocalTraining | None = None
    kills: Counter[str] = field(default_factory=Counter)
    kept_steps: int = 0

    def start(self, kill_after_commits: int | None = None) -> BaseProcess:
        resume = self.training is not None and self.training.state != "succeeded"
        environment = {name: os.environ[name] for name in ("TMPDIR", "FAKE_TRACE", "PYTHONPATH")}
        arguments = (self.manifest, self.engine.home.root, resume, environment, kill_after_commits)
        process = get_context("forkserver").Process(target=run_engine, args=arguments)
        process.start()
        return process

    def check(self, process: BaseProcess, steps_before: int) -> None:
        """Check that no finished step ran again, and that the store is intact."""
        completed = self._completed_steps() if self.training and self.training.state != "succeeded" else set()
        assert completed.isdisjoint(self.engine.started_steps()[steps_before:])
        was_killed = process.exitcode == -signal.SIGKILL
        self.training = self._read_training()
        if self.engine.home.store_file.exists():
            with closing(sqlite3.connect(self.engine.home.store_file)) as db:
                assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        if self.training is None:
            self.kills["before the first record"] += was_killed
            return
        assert self.training.state in ("unknown", "succeeded")
        assert completed <= self._completed_steps()
        self.kept_steps += len(completed)
        for step, result, expected in zip(("checkout", "train", "package"), self.results(), RESULTS, strict=True):
            assert result == (expected if step in self._completed_steps() else "")
        self.kills[f"{len(self._completed_steps())} of {len(self.training.steps)} steps finished"] += was_killed

    def _read_training(self) -> LocalTraining | None:
        """Return the training. A step that is just being started keeps the lock of a killed engine until it has started."""
        deadline = time.monotonic() + 20
        while True:
            training = next(iter(list_trainings(self.engine.home)), None)
            if training is None or training.state != "running" or time.monotonic() > deadline:
                return training
            time.sleep(0.1)

    def _completed_steps(self) -> set[str]:
        assert self.training is not None
        return {step.name for step in self.training.steps if step.state == "succeeded"}

    def results(self) -> tuple[str, str, str]:
        assert self.training is not None
        return self.training.commit_id, self.training.run_id, self.training.artifact_name

    def complete(self) -> None:
        """Run the training to its end and check its results."""
        steps_before = len(self.engine.started_steps())
        process = self.start()
        process.join()
        assert process.exitcode == 0
        self.check(process, steps_before)
        assert self.training is not None
        assert (self.training.state, self.results()) == ("succeeded", RESULTS)
        assert {step.state for step in self.training.steps} == {"succeeded"}
        assert list((self.engine.folder / "tmp").glob("odahu*")) == []


@pytest.fixture(scope="module", autouse=True)
def _forkserver() -> None:
    """Start the fork server before a test sets TMPDIR, whose length would exceed the limit for the server's socket."""
    get_context("forkserver").set_forkserver_preload([__name__])
    forkserver.ensure_running()


@pytest.fixture
def engines(engine: LocalEngine) -> EngineProcesses:
    return EngineProcesses(engine, engine.manifest())


@pytest.mark.timeout(900)
def test_resumes_after_kills_at_random_moments(engines: EngineProcesses) -> None:
    seed = int(os.environ.get("ODAHU_ARGO_SEED") or random.randrange(2**32))
    print(f"repeat this test with ODAHU_ARGO_SEED={seed}")
    generator = random.Random(seed)
    start = time.monotonic()
    engines.complete()
    max_delay = 1.2 * (time.monotonic() - start)
    kills = 0
    while kills < KILLS:
        steps_before = len(engines.engine.started_steps())
        process = engines.start()
        process.join(generator.uniform(0, max_delay))
        process.kill()
        process.join()
        kills += process.exitcode == -signal.SIGKILL
        engines.check(process, steps_before)
    engines.complete()
    print(f"{kills} kills, {engines.kept_steps} finished steps kept; {dict(engines.kills)}")


def test_resumes_after_a_kill_following_any_store_commit(engines: EngineProcesses) -> None:
    for number in itertools.count(1):
        steps_before = len(engines.engine.started_steps())
        process = engines.start(kill_after_commits=number)
        process.join()
        engines.check(process, steps_before)
        if process.exitcode == 0:
            break
        engines.complete()
    assert number > 10
    print(f"killed after each of {number - 1} commits; {engines.kept_steps} finished steps kept")
