from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from multiprocessing import get_context
from pathlib import Path

import pytest

from odahu_argo.errors import ServiceFault, UserError
from odahu_argo.local.store import LocalTraining, StepRecord, TrainingStore, utc_now

STRICT_TABLES = """
CREATE TABLE training (
    id TEXT PRIMARY KEY, model_name TEXT NOT NULL, model_version TEXT NOT NULL, toolchain TEXT NOT NULL,
    state TEXT NOT NULL, created TEXT NOT NULL, updated TEXT NOT NULL, digest TEXT NOT NULL, output TEXT NOT NULL,
    reason TEXT NOT NULL, exit_code INTEGER, run_id TEXT NOT NULL, artifact_name TEXT NOT NULL,
    commit_id TEXT NOT NULL{spec}
) STRICT;
CREATE TABLE step (
    training TEXT NOT NULL REFERENCES training (id) ON DELETE CASCADE, position INTEGER NOT NULL, name TEXT NOT NULL,
    state TEXT NOT NULL, exit_code INTEGER, message TEXT NOT NULL, started TEXT NOT NULL, finished TEXT NOT NULL,
    PRIMARY KEY (training, name)
) STRICT;
INSERT INTO training (id, model_name, model_version, toolchain, state, created, updated, digest, output, reason,
    exit_code, run_id, artifact_name, commit_id)
VALUES ('old', 'm', '1', 'mlflow', 'failed', '2026-01-01', '2026-01-01', 'd', 'file:///x', 'train: no', 2, '', '', '');
INSERT INTO step VALUES ('old', 0, 'train', 'failed', 2, 'no', '', '');
PRAGMA user_version = {version};
"""


def record(name: str = "wine", **changes: object) -> LocalTraining:
    now = utc_now()
    fields = dict(model_name="m", model_version="1", toolchain="mlflow", state="running", created=now, updated=now)
    steps = (StepRecord("checkout", "succeeded", 0, "", now, now), StepRecord("train"))
    return LocalTraining(**{"id": name, **fields, "digest": "d", "output": "file:///x", "steps": steps, **changes})  # type: ignore[arg-type]


@pytest.fixture
def store(tmp_path: Path) -> TrainingStore:
    return TrainingStore(tmp_path / "trainings.db")


def test_saved_training_is_read_back(tmp_path: Path) -> None:
    store = TrainingStore(tmp_path / "new" / "trainings.db")
    assert store.all() == []
    training = record(reason="ünïcode 'quoted'")
    store.save(training)
    assert store.get("wine") == training
    assert store.get("beer") is None


def test_lists_trainings_newest_first_with_their_steps_in_order(store: TrainingStore) -> None:
    names = ("train", "package", "checkout")
    for day, name in enumerate("bac", 1):
        store.save(record(name, created=f"2026-01-0{day}T00:00:00", steps=tuple(StepRecord(step) for step in names)))
    store.save(record("without-steps", created="2026-01-09T00:00:00", steps=()))
    assert [training.id for training in store.all()] == ["without-steps", "c", "a", "b"]
    assert [[step.name for step in training.steps] for training in store.all()] == [[], *[list(names)] * 3]


def test_reads_take_no_write_lock(store: TrainingStore) -> None:
    store.save(record())
    with closing(sqlite3.connect(store.file, isolation_level=None)) as writer:
        writer.execute("BEGIN IMMEDIATE")
        writer.execute("DELETE FROM training")
        assert [training.id for training in store.all()] == ["wine"]
        assert store.get("wine") is not None


def test_lists_any_number_of_trainings_with_one_query(store: TrainingStore, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(20):
        store.save(record(f"t{number}"))
    selects: list[str] = []
    connect = sqlite3.connect

    def traced_connect(*arguments: object, **options: object) -> sqlite3.Connection:
        db = connect(*arguments, **options)  # type: ignore[call-overload]
        db.set_trace_callback(lambda sql: selects.append(sql) if "SELECT" in sql else None)
        return db  # type: ignore[no-any-return]

    monkeypatch.setattr(sqlite3, "connect", traced_connect)
    assert len(store.all()) == 20
    assert len(selects) == 1


def test_replacing_and_deleting_a_training_deletes_its_steps(store: TrainingStore) -> None:
    store.save(record())
    store.save(record(steps=(StepRecord("only"),)))
    [training] = store.all()
    assert [step.name for step in training.steps] == ["only"]
    store.delete("wine")
    store.save(record(steps=()))
    assert store.all()[0].steps == ()


def test_rejects_a_newer_schema_version(store: TrainingStore) -> None:
    store.save(record())
    with closing(sqlite3.connect(store.file)) as db:
        db.execute("PRAGMA user_version = 99")
    for access in (store.all, lambda: store.save(record())):
        with pytest.raises(UserError, match="written by a newer odahu-argo"):
            access()


def test_rejects_a_file_that_is_not_a_database(store: TrainingStore) -> None:
    store.file.write_text("plain text, not a database" * 100)
    with pytest.raises(UserError, match="is not a training store"):
        store.all()


def test_reports_a_store_that_cannot_be_created(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ServiceFault, match="cannot write"):
        TrainingStore(tmp_path / "file" / "trainings.db").save(record())


def test_new_store_needs_no_sqlite_feature_after_3_34(store: TrainingStore) -> None:
    store.save(record())
    with closing(sqlite3.connect(store.file)) as db:
        schema = " ".join(sql for (sql,) in db.execute("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL"))
    assert not re.search(r"\bSTRICT\b|\bGENERATED\b", schema)


@pytest.mark.skipif(sqlite3.sqlite_version_info < (3, 37), reason="STRICT tables need SQLite 3.37")
@pytest.mark.parametrize(("version", "spec"), [(1, ""), (2, ", spec TEXT NOT NULL DEFAULT ''")])
def test_keeps_using_a_store_of_an_earlier_version(store: TrainingStore, version: int, spec: str) -> None:
    with closing(sqlite3.connect(store.file)) as db:
        db.executescript(STRICT_TABLES.format(version=version, spec=spec))
    [old] = store.all()
    assert (old.id, old.exit_code, old.spec, old.failed_step) == ("old", 2, "", StepRecord("train", "failed", 2, "no"))
    store.update_step("old", "train", {"run_id": "r"}, state="succeeded", exit_code=0)
    store.save(record(spec="{}"))
    updated = store.get("old")
    assert updated is not None and (updated.run_id, updated.steps[0].state) == ("r", "succeeded")
    assert {training.id for training in store.all()} == {"old", "wine"}


def write_many(file: Path, name: str) -> None:
    for _ in range(20):
        TrainingStore(file).save(record(name))
        TrainingStore(file).update_step(name, "train", state="running")


def test_processes_write_concurrently(store: TrainingStore) -> None:
    context = get_context("forkserver")
    processes = [context.Process(target=write_many, args=(store.file, f"t{n}")) for n in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0, 0, 0]
    assert sorted(training.id for training in store.all()) == ["t0", "t1", "t2"]
