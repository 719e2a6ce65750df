from __future__ import annotations

import sqlite3
from contextlib import closing
from multiprocessing import get_context
from pathlib import Path

import pytest

from odahu_argo.errors import UserError
from odahu_argo.local.store import LocalTraining, StepRecord, TrainingStore, utc_now


def record(name: str = "wine", **changes: object) -> LocalTraining:
    fields = dict(
        model_name="m", model_version="1", toolchain="mlflow", state="running", created=utc_now(), updated=utc_now()
    )
    steps = (StepRecord("checkout", "succeeded", 0, "", utc_now(), utc_now()), StepRecord("train"))
    return LocalTraining(**{"id": name, **fields, "digest": "d", "output": "file:///x", "steps": steps, **changes})  # type: ignore[arg-type]


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    store = TrainingStore(tmp_path / "new" / "trainings.db")
    assert store.all() == []
    training = record(reason="ünïcode 'quoted'")
    store.save(training)
    assert store.get("wine") == training
    assert store.get("beer") is None


def test_replacing_and_removing_leave_no_steps_behind(tmp_path: Path) -> None:
    store = TrainingStore(tmp_path / "trainings.db")
    store.save(record())
    store.save(record(steps=(StepRecord("only"),)))
    [training] = store.all()
    assert [step.name for step in training.steps] == ["only"]
    store.delete("wine")
    store.save(record(steps=()))
    assert store.all()[0].steps == ()


def test_a_file_of_a_newer_version_and_a_file_of_something_else_are_refused(tmp_path: Path) -> None:
    store = TrainingStore(tmp_path / "trainings.db")
    store.save(record())
    with closing(sqlite3.connect(store.file)) as db:
        db.execute("PRAGMA user_version = 99")
    with pytest.raises(UserError, match="written by a newer odahu-argo"):
        store.all()
    other = TrainingStore(tmp_path / "other.db")
    other.file.write_text("this is a text, and no database at all" * 100)
    with pytest.raises(UserError, match="is not a store of trainings"):
        other.all()


def write_many(file: Path, name: str) -> None:
    for _ in range(20):
        TrainingStore(file).save(record(name))
        TrainingStore(file).update_step(name, "train", state="running")


def test_several_processes_may_write_at_once(tmp_path: Path) -> None:
    file = tmp_path / "trainings.db"
    context = get_context("spawn")
    processes = [context.Process(target=write_many, args=(file, f"t{n}")) for n in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0, 0, 0]
    assert sorted(training.id for training in TrainingStore(file).all()) == ["t0", "t1", "t2"]
