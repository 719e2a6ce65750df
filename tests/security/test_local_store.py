"""The files of local trainings under load, with a permissive umask, and on a full disk."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import stat
import subprocess
import sys
from contextlib import closing
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path

import pytest

from odahu_argo.backends.local import LocalBackend
from odahu_argo.errors import ServiceFault
from odahu_argo.local import database
from odahu_argo.local.home import Home
from odahu_argo.local.lock import is_locked, training_lock
from odahu_argo.local.store import TrainingStore
from odahu_argo.local.tracking import prepare_tracking
from odahu_argo.trainings.selection import PageRequest, TrainingFilter, newest_first, select_page
from tests.load.client import measure
from tests.load.runs import run_trainings
from tests.load.store import fill_store, stored_training
from tests.local_engine import LocalEngine
from tests.manifests import training, write
from tests.servers.api import serving
from tests.servers.disk import SIZE

TOKEN = "load-test-0123456789abcdef"


def test_local_runs_succeed_while_pages_are_read(tmp_path: Path) -> None:
    home = fill_store(tmp_path / "home", 500)
    token = tmp_path / "token"
    token.write_text(TOKEN)

    async def run_with_readers(port: int) -> tuple[list[str], int]:
        load = measure("127.0.0.1", port, "/", TOKEN, connections=16, seconds=5)
        failed, measured = await asyncio.gather(run_trainings(home, tmp_path, 4), load)
        return failed, measured.errors

    with serving("--local", "--token-file", token, **home.environment) as address:
        failed, errors = asyncio.run(run_with_readers(int(address.rpartition(":")[2])))
    assert failed == []
    assert errors == 0
    states = {
        training.id: training.state
        for training in TrainingStore(home.store_file).select([f"run-{n}" for n in range(4)])
    }
    assert states == {f"run-{n}": "succeeded" for n in range(4)}


def read_repeatedly(file: Path) -> None:
    for _ in range(100):
        assert TrainingStore(file).page(1, 10).total >= 1


def write_repeatedly(file: Path, name: str) -> None:
    training = replace(stored_training(0), id=name)
    for _ in range(30):
        TrainingStore(file).save(training)
        TrainingStore(file).update_step(name, "train", state="running")


def test_readers_and_writers_open_and_close_the_file_concurrently(tmp_path: Path) -> None:
    """SQLite does not wait for a process that closes the file as the last one and removes its journal."""
    file = tmp_path / "trainings.db"
    TrainingStore(file).save(stored_training(0))
    context = get_context("forkserver")
    processes = [context.Process(target=read_repeatedly, args=(file,)) for _ in range(3)]
    processes += [context.Process(target=write_repeatedly, args=(file, f"t{n}")) for n in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0] * 5


def test_reader_waits_for_neither_reader_nor_writer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "BUSY_TIMEOUT", 0)
    monkeypatch.setattr(database, "READ_TIMEOUT", 0)
    file = tmp_path / "trainings.db"
    TrainingStore(file).save(stored_training(0))
    with closing(sqlite3.connect(file, isolation_level=None)) as writer, closing(sqlite3.connect(file)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM training").fetchone()
        writer.execute("BEGIN IMMEDIATE")
        writer.execute("DELETE FROM training")
        assert TrainingStore(file).page(1, 10).total == 1
        assert TrainingStore(file).get("training-000000") == stored_training(0)


def test_locked_store_is_not_reported_as_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "BUSY_TIMEOUT", 0)
    monkeypatch.setattr(database, "WRITE_TIMEOUT", 0)
    file = tmp_path / "trainings.db"
    TrainingStore(file).save(stored_training(0))
    with closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(ServiceFault, match="database is locked") as caught:
            TrainingStore(file).save(stored_training(1))
    assert caught.value.problems[0].hint == "another process has locked the file; end it if it hangs, and try again"


def test_concurrent_readers_see_that_a_run_has_been_killed(tmp_path: Path) -> None:
    """A reader tests the lock of a training. Another reader must not take that for a running training."""
    home = fill_store(tmp_path, 1)
    TrainingStore(home.store_file).save(replace(stored_training(0), state="running"))
    with training_lock(home, "training-000000"):
        assert is_locked(home, "training-000000")
    context = get_context("forkserver")
    readers = [context.Process(target=require_abandoned, args=(home,)) for _ in range(4)]
    for reader in readers:
        reader.start()
    for reader in readers:
        reader.join()
    assert [reader.exitcode for reader in readers] == [0] * 4


def require_abandoned(home: Home) -> None:
    trainings = LocalBackend(home).trainings
    for _ in range(200):
        assert trainings.get("training-000000").status.state == "unknown"


@pytest.mark.parametrize("state", ["", "succeeded", "failed", "unknown", "running"])
@pytest.mark.parametrize("is_newest_first", [True, False])
def test_page_equals_a_part_of_the_whole_list(tmp_path: Path, state: str, is_newest_first: bool) -> None:
    home = fill_store(tmp_path, 40)
    for number in (3, 20, 39):
        TrainingStore(home.store_file).save(replace(stored_training(number), state="running"))
    trainings = LocalBackend(home).trainings
    with training_lock(home, "training-000020"):
        whole = newest_first(trainings.list()) if is_newest_first else trainings.list()
        for selection in (
            TrainingFilter(states=(state,) if state else ()),
            TrainingFilter(
                states=(state,) if state else (), model_names=("model-3", "model-4"), toolchains=("mlflow",)
            ),
        ):
            for number in (1, 2, 9):
                request = PageRequest(number, 7, is_newest_first)
                page = trainings.page(selection, request)
                assert page == select_page(whole, selection, request)
                summary = trainings.page(selection, replace(request, is_summary=True))
                shown = [
                    (row.id, row.status.state, row.newest.model_name, row.status.message) for row in summary.trainings
                ]
                assert shown == [
                    (row.id, row.status.state, row.newest.model_name, row.status.message) for row in page.trainings
                ]


def test_no_file_is_writable_by_others_under_umask_0(engine: LocalEngine) -> None:
    previous = os.umask(0)
    try:
        ran = engine.command("run", "-f", engine.manifest())
    finally:
        os.umask(previous)
    assert ran.code == 0, ran.err
    created = [path for path in engine.home.root.rglob("*") if path != engine.home.tracking_version_file]
    writable = [path for path in created if path.lstat().st_mode & (stat.S_IWGRP | stat.S_IWOTH)]
    assert writable == []
    assert stat.S_IMODE(engine.home.store_file.stat().st_mode) == 0o600


def test_compiled_files_are_not_writable_by_others_under_umask_0(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "odahu_argo", "compile", "-f", str(write(tmp_path, training()))]
    subprocess.run([*command, "--output-dir", str(tmp_path / "out")], umask=0, check=True)
    assert stat.S_IMODE((tmp_path / "out" / "wine.yaml").stat().st_mode) == 0o644


def test_full_disk_is_named_when_mlflow_creates_its_database(small_disk: Path) -> None:
    home = Home(small_disk)
    home.create()
    (small_disk / "ballast").write_bytes(bytes(SIZE - 100_000))
    with pytest.raises(ServiceFault) as caught:
        prepare_tracking(home)
    [problem] = caught.value.problems
    assert problem.message.endswith(": database or disk is full")
    assert problem.hint == "free disk space, then run the training again"
