"""Records of local trainings in one SQLite file, shared by concurrent processes. Requires SQLite 3.34."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import astuple, dataclass, fields, replace
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from typing import Literal

from odahu_argo.errors import ServiceFault, UserError

State = Literal["scheduling", "running", "succeeded", "failed", "unknown"]
StepState = Literal["waiting", "running", "succeeded", "failed", "stopped", "skipped", "unknown"]
"""`stopped`: terminated because another step failed or the user interrupted the run; `skipped`: never started."""

LIVE_STATES: tuple[State, ...] = ("scheduling", "running")
SCHEMA_VERSION = 2
_BUSY_TIMEOUT = 30.0
"""Seconds to wait while another process writes."""


def utc_now() -> str:
    """Return the current UTC time in ISO 8601 with milliseconds."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


@dataclass(frozen=True, slots=True)
class StepRecord:
    """State of one step. Times are UTC in ISO 8601. `exit_code` is None until the step exits, and if it was stopped."""

    name: str
    state: StepState = "waiting"
    exit_code: int | None = None
    message: str = ""
    started: str = ""
    finished: str = ""


@dataclass(frozen=True, slots=True)
class LocalTraining:
    """Last run of a local training. Times are UTC in ISO 8601.

    `digest` identifies the plan, `output` is the URI of the folder or prefix that receives the zip, `spec` is the
    manifest's spec as JSON. Records written with schema version 1 have an empty `spec`.
    """

    id: str
    model_name: str
    model_version: str
    toolchain: str
    state: State
    created: str
    updated: str
    digest: str
    output: str
    reason: str = ""
    exit_code: int | None = None
    run_id: str = ""
    artifact_name: str = ""
    commit_id: str = ""
    spec: str = ""
    steps: tuple[StepRecord, ...] = ()

    @property
    def is_live(self) -> bool:
        """Whether the recorded state is not final."""
        return self.state in LIVE_STATES

    @property
    def failed_step(self) -> StepRecord | None:
        """The first step whose state is `failed`."""
        return next((step for step in self.steps if step.state == "failed"), None)

    @property
    def artifact_uri(self) -> str:
        """URI of the zip; empty unless the training succeeded."""
        return f"{self.output.rstrip('/')}/{self.artifact_name}" if self.state == "succeeded" else ""

    def abandoned(self) -> LocalTraining:
        """Return the record of a run whose process exited without recording a result: state `unknown`."""
        steps = tuple(replace(step, state="unknown") if step.state == "running" else step for step in self.steps)
        reason = "the process of this run exited without recording a result; continue the run with --resume"
        return replace(self, state="unknown", reason=reason, steps=steps)


_TABLES = (
    """
    CREATE TABLE training (
        id TEXT PRIMARY KEY, model_name TEXT NOT NULL, model_version TEXT NOT NULL, toolchain TEXT NOT NULL,
        state TEXT NOT NULL, created TEXT NOT NULL, updated TEXT NOT NULL, digest TEXT NOT NULL, output TEXT NOT NULL,
        reason TEXT NOT NULL, exit_code INTEGER, run_id TEXT NOT NULL, artifact_name TEXT NOT NULL,
        commit_id TEXT NOT NULL, spec TEXT NOT NULL DEFAULT ''
    )
    """,
    """
    CREATE TABLE step (
        training TEXT NOT NULL REFERENCES training (id) ON DELETE CASCADE, position INTEGER NOT NULL, name TEXT NOT NULL,
        state TEXT NOT NULL, exit_code INTEGER, message TEXT NOT NULL, started TEXT NOT NULL, finished TEXT NOT NULL,
        PRIMARY KEY (training, name)
    )
    """,
)
"""Without STRICT, which needs SQLite 3.37. Files whose tables were created with STRICT have the same columns."""
_TRAINING_COLUMNS = tuple(field.name for field in fields(LocalTraining) if field.name != "steps")
_STEP_COLUMNS = tuple(field.name for field in fields(StepRecord))
_SELECT = f"""
    SELECT {", ".join(f"training.{name}" for name in _TRAINING_COLUMNS)},
           {", ".join(f"step.{name}" for name in _STEP_COLUMNS)}
    FROM training LEFT JOIN step ON step.training = training.id
"""


@dataclass(frozen=True, slots=True)
class TrainingStore:
    """Access to the store in `file`. The first write creates the file. Each method is one transaction.

    Raises (each method):
        UserError: the file was written by a newer version, or is not a training store.
        ServiceFault: the disk failed, or another process locked the file for more than 30 seconds.
    """

    file: Path

    def get(self, training_id: str) -> LocalTraining | None:
        """Return a training, or None if the store has no such training."""
        return next(iter(self._select("WHERE training.id = ? ORDER BY step.position", training_id)), None)

    def all(self) -> list[LocalTraining]:
        """Return all trainings, newest first."""
        return self._select("ORDER BY training.created DESC, training.id, step.position")

    def save(self, training: LocalTraining) -> None:
        """Write a training and its steps. An existing record with the same id is replaced."""
        with self._write_transaction() as db:
            db.execute("DELETE FROM training WHERE id = ?", (training.id,))
            values = [getattr(training, name) for name in _TRAINING_COLUMNS]
            db.execute(_insert("training", _TRAINING_COLUMNS), values)
            rows = [(training.id, position, *astuple(step)) for position, step in enumerate(training.steps)]
            db.executemany(_insert("step", ("training", "position", *_STEP_COLUMNS)), rows)

    def update(self, training_id: str, **changes: str | int | None) -> None:
        """Change fields of a training and set its update time to now."""
        with self._write_transaction() as db:
            _update_training(db, training_id, changes)

    def update_step(
        self, training_id: str, name: str, results: Mapping[str, str] | None = None, **changes: str | int | None
    ) -> None:
        """Change fields of a step together with the fields `results` of its training, and set its update time to now."""
        with self._write_transaction() as db:
            values = (*changes.values(), training_id, name)
            db.execute(f"UPDATE step SET {_assignments(changes)} WHERE training = ? AND name = ?", values)
            _update_training(db, training_id, results or {})

    def delete(self, training_id: str) -> None:
        """Delete a training. Deleting a missing training is not an error."""
        with self._write_transaction() as db:
            db.execute("DELETE FROM training WHERE id = ?", (training_id,))

    def _select(self, clause: str, *values: str) -> list[LocalTraining]:
        if not self.file.exists():
            return []
        with self._connection() as db:
            rows = db.execute(f"{_SELECT} {clause}", values).fetchall()
        width = len(_TRAINING_COLUMNS)
        trainings = []
        for columns, group in groupby(rows, key=lambda row: row[:width]):
            steps = tuple(StepRecord(*row[width:]) for row in group if row[width] is not None)
            trainings.append(replace(LocalTraining(*columns), steps=steps))
        return trainings

    @contextmanager
    def _write_transaction(self) -> Iterator[sqlite3.Connection]:
        try:
            self.file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            raise ServiceFault(f"cannot write {error.filename}: {error.strerror}") from error
        with self._connection() as db, _transaction(db):
            yield db

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        try:
            with closing(sqlite3.connect(self.file, timeout=_BUSY_TIMEOUT, isolation_level=None)) as db:
                db.execute("PRAGMA foreign_keys = ON")
                if _schema_version(db) != SCHEMA_VERSION:
                    db.execute("PRAGMA journal_mode = WAL")
                    with _transaction(db):
                        _migrate(db, self.file)
                yield db
        except sqlite3.OperationalError as error:
            raise ServiceFault(
                f"cannot read or write the training store {self.file}: {error}", hint="check the free space of the disk"
            ) from error
        except sqlite3.DatabaseError as error:
            raise UserError(
                f"{self.file} is not a training store: {error}",
                hint="move the file away; the next run creates a new one",
            ) from error


@contextmanager
def _transaction(db: sqlite3.Connection) -> Iterator[None]:
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        db.execute("ROLLBACK")
        raise
    db.execute("COMMIT")


def _migrate(db: sqlite3.Connection, file: Path) -> None:
    """Create or upgrade the tables."""
    version = _schema_version(db)
    if version > SCHEMA_VERSION:
        raise UserError(
            f"{file} was written by a newer odahu-argo: schema version {version}, supported: {SCHEMA_VERSION}",
            hint="upgrade odahu-argo, or set ODAHU_ARGO_HOME to another folder",
        )
    if version == 0:
        for statement in _TABLES:
            db.execute(statement)
    if version == 1:
        db.execute("ALTER TABLE training ADD COLUMN spec TEXT NOT NULL DEFAULT ''")
    db.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")


def _schema_version(db: sqlite3.Connection) -> int:
    [version] = db.execute("PRAGMA user_version").fetchone()
    return int(version)


def _update_training(db: sqlite3.Connection, training_id: str, changes: Mapping[str, str | int | None]) -> None:
    values = {**changes, "updated": utc_now()}
    db.execute(f"UPDATE training SET {_assignments(values)} WHERE id = ?", (*values.values(), training_id))


def _insert(table: str, columns: tuple[str, ...]) -> str:
    return f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})"


def _assignments(changes: Mapping[str, str | int | None]) -> str:
    return ", ".join(f"{name} = ?" for name in changes)
