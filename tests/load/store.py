"""A home of the local engine with many stored trainings."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from dataclasses import astuple, fields
from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from pathlib import Path

from odahu_argo.local.home import Home
from odahu_argo.local.store import LocalTraining, State, StepRecord, TrainingStore

STATES: tuple[State, ...] = ("succeeded", "succeeded", "succeeded", "failed")
STEPS = ("checkout", "download-a", "download-b", "train", "package")
FIRST = datetime(2026, 1, 1, tzinfo=UTC)


def fill_store(root: Path, count: int) -> Home:
    """Create a home with this number of trainings that have ended. MLflow's database counts as prepared."""
    home = Home(root)
    home.create()
    home.tracking_version_file.write_text(version("mlflow"), encoding="utf-8")
    trainings = [stored_training(number) for number in range(count)]
    store = TrainingStore(home.store_file)
    store.save(trainings[0])
    store.delete(trainings[0].id)
    columns = [field.name for field in fields(LocalTraining) if field.name != "steps"]
    rows = [[getattr(training, name) for name in columns] for training in trainings]
    steps = [(training.id, n, *astuple(step)) for training in trainings for n, step in enumerate(training.steps)]
    with closing(sqlite3.connect(home.store_file)) as db, db:
        db.executemany(f"INSERT INTO training ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})", rows)
        db.executemany("INSERT INTO step VALUES (?, ?, ?, ?, ?, ?, ?, ?)", steps)
    return home


def stored_training(number: int) -> LocalTraining:
    """Return a training that has ended: three of four have succeeded."""
    state = STATES[number % len(STATES)]
    created = FIRST + timedelta(minutes=number)
    start, end = (time.isoformat(timespec="milliseconds") for time in (created, created + timedelta(minutes=5)))
    spec = {
        "model": {"name": f"model-{number % 50}", "version": f"1.{number}"},
        "toolchain": "mlflow",
        "hyperParameters": {f"parameter-{n}": str(n) for n in range(10)},
    }
    return LocalTraining(
        id=f"training-{number:06}",
        model_name=f"model-{number % 50}",
        model_version=f"1.{number}",
        toolchain="mlflow",
        state=state,
        created=start,
        updated=end,
        digest=f"{number:064x}",
        output="file:///models",
        reason="train: the training program exited with status 1" if state == "failed" else "",
        exit_code=2 if state == "failed" else 0,
        run_id=f"{number:032x}",
        artifact_name=f"model-{number}.zip",
        commit_id=f"{number:040x}",
        spec=json.dumps(spec),
        steps=tuple(StepRecord(name, "succeeded", 0, "", start, end) for name in STEPS),
    )
