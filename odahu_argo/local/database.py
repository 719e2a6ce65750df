"""The SQLite file of local trainings: transactions, schema and errors. Requires SQLite 3.34.

The file is in WAL mode, in which readers and a writer do not block each other (https://www.sqlite.org/wal.html).
"""

from __future__ import annotations

import os
import random
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Literal, TypeVar

from odahu_argo.errors import ServiceFault, UserError

T = TypeVar("T")
Action = Callable[[sqlite3.Connection], T]

SCHEMA_VERSION = 3
BUSY_TIMEOUT = 5.0
"""Seconds that SQLite waits for a lock."""
READ_TIMEOUT, WRITE_TIMEOUT = 30.0, 120.0
"""Seconds after which a transaction is not started again. SQLite does not wait for every lock, for example not for that of
a process which closes the file (https://www.sqlite.org/wal.html, section 8)."""
_MAX_PAUSE = 0.1
_BUSY_CODES = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_PROTOCOL)
_MODE = 0o600
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
_INDEXES = (
    "CREATE INDEX training_by_time ON training (created DESC, id)",
    "CREATE INDEX training_by_state ON training (state, created DESC, id)",
)


def read(file: Path, action: Action[T]) -> T:
    """Run queries on one consistent state of the file, and return what they return. Writers are not blocked.

    Raises:
        UserError: the file was written by a newer version, or is not a training store.
        ServiceFault: the disk failed, or the file stayed locked.
    """
    return _run(file, action, "DEFERRED", READ_TIMEOUT)


def write(file: Path, action: Action[T]) -> T:
    """Run statements in one transaction: all of them take effect, or none. The first write creates the file.

    `action` may be called again if another process has locked the file.

    Raises:
        UserError: the file was written by a newer version, or is not a training store.
        ServiceFault: the disk failed, or the file stayed locked.
    """
    try:
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        os.close(os.open(file, os.O_RDWR | os.O_CREAT, _MODE))
    except OSError as error:
        raise ServiceFault(f"cannot write {error.filename}: {error.strerror}") from error
    return _run(file, action, "IMMEDIATE", WRITE_TIMEOUT)


def _run(file: Path, action: Action[T], mode: Literal["DEFERRED", "IMMEDIATE"], timeout: float) -> T:
    deadline = time.monotonic() + timeout
    while True:
        try:
            with closing(sqlite3.connect(file, timeout=BUSY_TIMEOUT, isolation_level=None)) as db:
                db.execute("PRAGMA foreign_keys = ON")
                if _schema_version(db) != SCHEMA_VERSION:
                    _upgrade(db, file)
                return _transaction(db, action, mode)
        except sqlite3.OperationalError as error:
            if _is_busy(error) and time.monotonic() < deadline:
                time.sleep(random.uniform(0, _MAX_PAUSE))
                continue
            raise ServiceFault(f"cannot read or write the training store {file}: {error}", _hint(error)) from error
        except sqlite3.DatabaseError as error:
            raise UserError(
                f"{file} is not a training store: {error}",
                hint="move the file away; the next run creates a new one",
            ) from error


def _transaction(db: sqlite3.Connection, action: Action[T], mode: str) -> T:
    db.execute(f"BEGIN {mode}")
    try:
        result = action(db)
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise
    return result


def _upgrade(db: sqlite3.Connection, file: Path) -> None:
    db.execute("PRAGMA journal_mode = WAL")
    _transaction(db, lambda _: _migrate(db, file), "IMMEDIATE")


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
    if version < SCHEMA_VERSION:
        for statement in _INDEXES:
            db.execute(statement)
    db.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")


def _schema_version(db: sqlite3.Connection) -> int:
    [version] = db.execute("PRAGMA user_version").fetchone()
    return int(version)


def _is_busy(error: sqlite3.Error) -> bool:
    return _primary_code(error) in _BUSY_CODES


def _primary_code(error: sqlite3.Error) -> int:
    """Return the result code without the bits of the extended code."""
    return int(getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR)) & 0xFF


def _hint(error: sqlite3.Error) -> str:
    if _is_busy(error):
        return "another process has locked the file; end it if it hangs, and try again"
    if _primary_code(error) in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM):
        return "check the permissions of the file and of its directory"
    return "check the free space of the disk"
