"""The files of MLflow's records on this machine, read without MLflow.

A training whose environment has another version of MLflow than this one writes to a file of its own,
`mlflow-VERSION.db`, because MLflow rejects the tables of other versions. The tables and columns below are the same in MLflow
1.0 to 3.x. Source: mlflow/store/tracking/dbmodels/models.py.
"""

from __future__ import annotations

import math
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

_VERSION = re.compile(r"mlflow-(.+)\.db")
_BUSY_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class StoredRun:
    """A run: its parameters, the last value of each metric, and the history of some of them as step and value, by step."""

    experiment: str
    status: str
    parameters: dict[str, str]
    metrics: dict[str, float]
    histories: dict[str, list[tuple[int, float]]]


def file_of_run(directory: Path, run_id: str) -> Path | None:
    """Return the file in the directory that contains the run, or None."""
    for file in (directory / "mlflow.db", *sorted(directory.glob("mlflow-*.db"))):
        with suppress(sqlite3.Error), _open(file) as db:
            if db.execute("SELECT 1 FROM runs WHERE run_uuid = ?", (run_id,)).fetchone():
                return file
    return None


def read_run(file: Path, run_id: str, max_histories: int) -> StoredRun | None:
    """Return the run with the histories of its first metrics, or None if it does not exist.

    Raises:
        sqlite3.Error: The file cannot be read.
    """
    with _open(file) as db:
        row = db.execute("SELECT experiment_id, status FROM runs WHERE run_uuid = ?", (run_id,)).fetchone()
        if row is None:
            return None
        parameters = db.execute("SELECT key, value FROM params WHERE run_uuid = ?", (run_id,)).fetchall()
        latest = db.execute("SELECT key, value, is_nan FROM latest_metrics WHERE run_uuid = ?", (run_id,)).fetchall()
        histories = {name: _history(db, run_id, name) for name in sorted(name for name, _, _ in latest)[:max_histories]}
    metrics = {str(name): _value(value, is_nan) for name, value, is_nan in latest}
    return StoredRun(str(row[0]), str(row[1]), dict(parameters), metrics, histories)


def ui_command(file: Path) -> str:
    """Return the command that shows the records of a file in MLflow's user interface."""
    command = f"mlflow ui --backend-store-uri sqlite:///{file}"
    match = _VERSION.fullmatch(file.name)
    return f"{command} (with MLflow {match[1]})" if match else command


def _history(db: sqlite3.Connection, run_id: str, name: str) -> list[tuple[int, float]]:
    query = "SELECT step, value, is_nan FROM metrics WHERE run_uuid = ? AND key = ? ORDER BY step, timestamp"
    return [(int(step), _value(value, is_nan)) for step, value, is_nan in db.execute(query, (run_id, name))]


def _value(value: float, is_nan: int) -> float:
    return math.nan if is_nan else float(value)


@contextmanager
def _open(file: Path) -> Iterator[sqlite3.Connection]:
    """Open a file for reading only; a missing one is not created."""
    uri = f"file:{quote(str(file))}?mode=ro"
    with closing(sqlite3.connect(uri, uri=True, timeout=_BUSY_SECONDS, check_same_thread=False)) as db:
        yield db
