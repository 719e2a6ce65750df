"""The trainings of this machine in one SQLite file, which several processes may read and write at once."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import astuple, dataclass, fields, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from odahu_argo.errors import ServiceFault, UserError

State = Literal["scheduling", "running", "succeeded", "failed", "unknown"]
StepState = Literal["waiting", "running", "succeeded", "failed", "stopped", "skipped", "unknown"]
"""`stopped`: ended because another step failed or the user interrupted; `skipped`: its turn never came."""

LIVE_STATES: tuple[State, ...] = ("scheduling", "running")
LOST = "the process that ran it ended without leaving a result"


@dataclass(frozen=True, slots=True)
class StepRecord:
    """One step. Times are UTC in ISO 8601; `exit_code` is None until it ended, and where it was stopped."""

    name: str
    state: StepState = "waiting"
    exit_code: int | None = None
    message: str = ""
    started: str = ""
    finished: str = ""


@dataclass(frozen=True, slots=True)
class LocalTraining:
    """One training: its last run. Times are UTC in ISO 8601.

    `digest` tells plans apart, `output` is the address that its zip goes to, `spec` what the manifest says, as JSON; it is
    empty for trainings of before that was kept.
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
        """Whether it had not ended when this was written."""
        return self.state in LIVE_STATES

    @property
    def failed_step(self) -> StepRecord | None:
        """The step that failed."""
        return next((step for step in self.steps if step.state == "failed"), None)

    @property
    def artifact_uri(self) -> str:
        """Where the zip lies; empty until the training succeeded."""
        return f"{self.output.rstrip('/')}/{self.artifact_name}" if self.state == "succeeded" else ""

    def abandoned(self) -> LocalTraining:
        """The same training when its process is gone without a word."""
        steps = tuple(replace(step, state="unknown") if step.state == "running" else step for step in self.steps)
        return replace(self, state="unknown", reason=f"{LOST}; run it again with --resume", steps=steps)


VERSION = 2
_BUSY = 30.0
"""Seconds to wait for another process that is writing."""
_TABLES = """
CREATE TABLE training (
    id TEXT PRIMARY KEY, model_name TEXT NOT NULL, model_version TEXT NOT NULL, toolchain TEXT NOT NULL,
    state TEXT NOT NULL, created TEXT NOT NULL, updated TEXT NOT NULL, digest TEXT NOT NULL, output TEXT NOT NULL,
    reason TEXT NOT NULL, exit_code INTEGER, run_id TEXT NOT NULL, artifact_name TEXT NOT NULL,
    commit_id TEXT NOT NULL, spec TEXT NOT NULL DEFAULT ''
) STRICT;
CREATE TABLE step (
    training TEXT NOT NULL REFERENCES training (id) ON DELETE CASCADE, position INTEGER NOT NULL, name TEXT NOT NULL,
    state TEXT NOT NULL, exit_code INTEGER, message TEXT NOT NULL, started TEXT NOT NULL, finished TEXT NOT NULL,
    PRIMARY KEY (training, name)
) STRICT;
"""
_TRAINING = tuple(field.name for field in fields(LocalTraining) if field.name != "steps")
_STEP = tuple(field.name for field in fields(StepRecord))


def utc_now() -> str:
    """The time in UTC, to the millisecond, as ISO 8601."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


@dataclass(frozen=True, slots=True)
class TrainingStore:
    """The store in `file`, made when first opened. Every method is one transaction.

    Raises (each method):
        UserError: a newer odahu-argo has written the file, or it is no store.
        ServiceFault: the disk failed, or another process holds the file for more than half a minute.
    """

    file: Path

    def save(self, training: LocalTraining) -> None:
        """Put the training with its steps in the place of what was there under its id."""
        with self._transaction() as db:
            db.execute("DELETE FROM training WHERE id = ?", (training.id,))
            values = [getattr(training, name) for name in _TRAINING]
            db.execute(f"INSERT INTO training ({', '.join(_TRAINING)}) VALUES ({_marks(_TRAINING)})", values)
            columns = ("training", "position", *_STEP)
            rows = [(training.id, position, *astuple(step)) for position, step in enumerate(training.steps)]
            db.executemany(f"INSERT INTO step ({', '.join(columns)}) VALUES ({_marks(columns)})", rows)

    def update(self, training_id: str, **changes: str | int | None) -> None:
        """Change fields of a training; its time of update becomes now."""
        changes["updated"] = utc_now()
        with self._transaction() as db:
            db.execute(f"UPDATE training SET {_assignments(changes)} WHERE id = ?", (*changes.values(), training_id))

    def update_step(
        self, training_id: str, name: str, results: Mapping[str, str] | None = None, **changes: str | int | None
    ) -> None:
        """Change fields of a step, and the training's fields `results` with them; its time of update becomes now."""
        of_training = {**(results or {}), "updated": utc_now()}
        with self._transaction() as db:
            where = (*changes.values(), training_id, name)
            db.execute(f"UPDATE step SET {_assignments(changes)} WHERE training = ? AND name = ?", where)
            values = (*of_training.values(), training_id)
            db.execute(f"UPDATE training SET {_assignments(of_training)} WHERE id = ?", values)

    def delete(self, training_id: str) -> None:
        """Forget a training; nothing happens where there is none."""
        with self._transaction() as db:
            db.execute("DELETE FROM training WHERE id = ?", (training_id,))

    def get(self, training_id: str) -> LocalTraining | None:
        """The training as it was last written."""
        return next(iter(self._read("WHERE id = ?", training_id)), None)

    def all(self) -> list[LocalTraining]:
        """Every training as it was last written, the newest first."""
        return self._read("ORDER BY created DESC, id")

    def _read(self, which: str, *values: str) -> list[LocalTraining]:
        if not self.file.exists():
            return []
        with self._transaction() as db:
            found = db.execute(f"SELECT {', '.join(_TRAINING)} FROM training {which}", values).fetchall()
            return [_training(db, row) for row in found]

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        try:
            self.file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            with closing(sqlite3.connect(self.file, timeout=_BUSY, isolation_level=None)) as db:
                db.execute("PRAGMA journal_mode = WAL")
                db.execute("PRAGMA foreign_keys = ON")
                db.execute("BEGIN IMMEDIATE")
                try:
                    _prepare(db, self.file)
                    yield db
                except BaseException:
                    db.execute("ROLLBACK")
                    raise
                db.execute("COMMIT")
        except sqlite3.OperationalError as error:
            raise ServiceFault(
                f"the store {self.file} cannot be read or written: {error}", hint="see that the disk is not full"
            ) from error
        except sqlite3.DatabaseError as error:
            raise UserError(
                f"{self.file} is not a store of trainings: {error}", hint="move the file away; a new one is made"
            ) from error
        except OSError as error:
            raise ServiceFault(f"{error.filename} cannot be written: {error.strerror}") from error


def _prepare(db: sqlite3.Connection, file: Path) -> None:
    [version] = db.execute("PRAGMA user_version").fetchone()
    if version > VERSION:
        raise UserError(
            f"{file} was written by a newer odahu-argo (its format is {version}, ours is {VERSION})",
            hint="upgrade odahu-argo, or set ODAHU_ARGO_HOME to another folder",
        )
    if version == 0:
        for statement in _TABLES.split(";"):
            db.execute(statement)
    if version == 1:
        db.execute("ALTER TABLE training ADD COLUMN spec TEXT NOT NULL DEFAULT ''")
    if version < VERSION:
        db.execute(f"PRAGMA user_version = {VERSION}")


def _training(db: sqlite3.Connection, row: tuple[Any, ...]) -> LocalTraining:
    query = f"SELECT {', '.join(_STEP)} FROM step WHERE training = ? ORDER BY position"
    steps = tuple(StepRecord(*step) for step in db.execute(query, (row[0],)))
    return LocalTraining(**dict(zip(_TRAINING, row, strict=True)), steps=steps)


def _marks(columns: tuple[str, ...]) -> str:
    return ", ".join("?" * len(columns))


def _assignments(changes: Mapping[str, str | int | None]) -> str:
    return ", ".join(f"{name} = ?" for name in changes)
