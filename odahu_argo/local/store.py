"""Records of local trainings in one SQLite file, shared by concurrent processes."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Mapping, Sequence
from dataclasses import astuple, dataclass, field, fields, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, TypeVar

from odahu_argo.local import database

T = TypeVar("T")
State = Literal["scheduling", "running", "succeeded", "failed", "unknown"]
StepState = Literal["waiting", "running", "succeeded", "failed", "stopped", "skipped", "unknown"]
"""`stopped`: terminated because another step failed or the user interrupted the run; `skipped`: never started."""

LIVE_STATES: tuple[State, ...] = ("scheduling", "running")


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

    `digest` identifies the plan, `output` is the URI of the folder or prefix that receives the artifact, `spec` is the
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
        """URI of the artifact; empty unless the training succeeded."""
        return f"{self.output.rstrip('/')}/{self.artifact_name}" if self.state == "succeeded" else ""

    def abandoned(self) -> LocalTraining:
        """Return the record of a run whose process exited without recording a result: state `unknown`."""
        steps = tuple(replace(step, state="unknown") if step.state == "running" else step for step in self.steps)
        reason = "the process of this run exited without recording a result; continue the run with --resume"
        return replace(self, state="unknown", reason=reason, steps=steps)


@dataclass(frozen=True, slots=True)
class StoredPage:
    """Trainings on one page. Pages count from 1; a page after the last one is the last one.

    `total` counts the trainings on all pages, `counts` all trainings of the store by state.
    """

    trainings: Sequence[LocalTraining] = ()
    total: int = 0
    number: int = 1
    counts: Mapping[str, int] = field(default_factory=dict)


_TRAINING_COLUMNS = tuple(field.name for field in fields(LocalTraining) if field.name != "steps")
_STEP_COLUMNS = tuple(field.name for field in fields(StepRecord))
_STEPS = (
    f"SELECT json_group_array(json_array(position, {', '.join(_STEP_COLUMNS)})) FROM step WHERE training = training.id"
)
"""The steps of a training as a JSON array of arrays."""
_COLUMNS = f"{', '.join(_TRAINING_COLUMNS)}, ({_STEPS})"
_SUMMARY_COLUMNS = (
    f"{', '.join(_TRAINING_COLUMNS[:-1])}, '', CASE WHEN state IN {LIVE_STATES} THEN ({_STEPS}) ELSE '[]' END"
)
"""Without the spec, which is the last column, and without the steps of trainings that have ended."""
_NEWEST_FIRST = "ORDER BY created DESC, id"
_BY_ID = "ORDER BY id"
_Sql = tuple[str, tuple[str, ...]]
"""Part of a statement, and the values of its parameters."""


@dataclass(frozen=True, slots=True)
class TrainingStore:
    """Access to the store in `file`. The first write creates the file. Each method is one transaction.

    Raises (each method):
        UserError: the file was written by a newer version, or is not a training store.
        ServiceFault: the disk failed, or another process locked the file for minutes.
    """

    file: Path

    def get(self, training_id: str) -> LocalTraining | None:
        """Return a training, or None if the store has no such training."""
        return next(iter(self.select([training_id])), None)

    def select(self, ids: Collection[str]) -> list[LocalTraining]:
        """Return the trainings with these IDs, newest first."""
        return self._read(lambda db: _select(db, _where([_is_in("id", ids)], _NEWEST_FIRST)), [])

    def all(self) -> list[LocalTraining]:
        """Return all trainings, newest first."""
        return self._read(lambda db: _select(db, (_NEWEST_FIRST, ())), [])

    def ids(self, states: Collection[str] = ()) -> list[str]:
        """Return the IDs of all trainings, or of those whose recorded state is one of `states`, sorted."""
        where, values = _where([_is_in("state", states)] if states else [])
        statement = f"SELECT id FROM training {where} ORDER BY id"
        return self._read(lambda db: [training_id for (training_id,) in db.execute(statement, values)], [])

    def page(
        self,
        number: int,
        size: int,
        filters: Mapping[str, Collection[str]] | None = None,
        abandoned: Collection[str] = (),
        is_newest_first: bool = True,
        is_summary: bool = False,
        words: Sequence[str] = (),
    ) -> StoredPage:
        """Return a page of the trainings that match every filter, newest first or sorted by ID.

        The ID, state, reason, model name or version of each contains every word; words are in lower case.

        A filter maps the name of a column to its allowed values. A training whose ID is in `abandoned` has the state
        `unknown` if its recorded state is not final. A summary lacks the specs, and the steps of trainings that have ended.
        """
        state = _actual_state(abandoned)
        conditions = [_is_in(state if name == "state" else name, allowed) for name, allowed in (filters or {}).items()]
        where, values = _where(conditions + [_contains(state, word) for word in words])
        order = _NEWEST_FIRST if is_newest_first else _BY_ID

        def select_page(db: sqlite3.Connection) -> StoredPage:
            counts = dict(db.execute(f"SELECT {state[0]} AS actual, COUNT(*) FROM training GROUP BY actual", state[1]))
            [total] = (
                db.execute(f"SELECT COUNT(*) FROM training {where}", values).fetchone()
                if where
                else [sum(counts.values())]
            )
            shown = min(number, max(1, -(-total // size)))
            selection = f"{where} {order} LIMIT {int(size)} OFFSET {int((shown - 1) * size)}"
            columns = _SUMMARY_COLUMNS if is_summary else _COLUMNS
            return StoredPage(_select(db, (selection, values), columns), total, shown, counts)

        return self._read(select_page, StoredPage())

    def save(self, training: LocalTraining) -> None:
        """Write a training and its steps. An existing record with the same id is replaced."""
        values = [getattr(training, name) for name in _TRAINING_COLUMNS]
        rows = [(training.id, position, *astuple(step)) for position, step in enumerate(training.steps)]

        def replace_training(db: sqlite3.Connection) -> None:
            db.execute("DELETE FROM training WHERE id = ?", (training.id,))
            db.execute(_insert("training", _TRAINING_COLUMNS), values)
            db.executemany(_insert("step", ("training", "position", *_STEP_COLUMNS)), rows)

        database.write(self.file, replace_training)

    def update(self, training_id: str, **changes: str | int | None) -> None:
        """Change fields of a training and set its update time to now."""
        database.write(self.file, lambda db: _update_training(db, training_id, changes))

    def update_step(
        self, training_id: str, name: str, results: Mapping[str, str] | None = None, **changes: str | int | None
    ) -> None:
        """Change fields of a step together with the fields `results` of its training, and set its update time to now."""

        def update(db: sqlite3.Connection) -> None:
            values = (*changes.values(), training_id, name)
            db.execute(f"UPDATE step SET {_assignments(changes)} WHERE training = ? AND name = ?", values)
            _update_training(db, training_id, results or {})

        database.write(self.file, update)

    def delete(self, training_id: str) -> None:
        """Delete a training. Deleting a missing training is not an error."""
        database.write(self.file, lambda db: db.execute("DELETE FROM training WHERE id = ?", (training_id,)))

    def _read(self, action: database.Action[T], empty: T) -> T:
        return database.read(self.file, action) if self.file.exists() else empty


def _select(db: sqlite3.Connection, selection: _Sql, columns: str = _COLUMNS) -> list[LocalTraining]:
    """Return the selected trainings with their steps. One statement, for any number of trainings."""
    rows = db.execute(f"SELECT {columns} FROM training {selection[0]}", selection[1])
    return [LocalTraining(*(*values, _steps(steps))) for *values, steps in rows]


def _steps(array: str) -> tuple[StepRecord, ...]:
    return tuple(StepRecord(*values) for _, *values in sorted(json.loads(array)))


def _where(conditions: Sequence[_Sql], order: str = "") -> _Sql:
    texts = " AND ".join(text for text, _ in conditions)
    return f"WHERE {texts} {order}" if texts else order, tuple(value for _, values in conditions for value in values)


def _is_in(column: str | _Sql, allowed: Collection[str]) -> _Sql:
    text, values = (column, ()) if isinstance(column, str) else column
    return f"{text} IN ({', '.join('?' * len(allowed))})", (*values, *allowed)


def _contains(state: _Sql, word: str) -> _Sql:
    text = f"lower(id || ' ' || {state[0]} || ' ' || reason || ' ' || model_name || ' ' || model_version)"
    return f"instr({text}, ?) > 0", (*state[1], word)


def _actual_state(abandoned: Collection[str]) -> _Sql:
    if not abandoned:
        return "state", ()
    is_live, is_abandoned = _is_in("state", LIVE_STATES), _is_in("id", abandoned)
    return f"CASE WHEN {is_live[0]} AND {is_abandoned[0]} THEN 'unknown' ELSE state END", is_live[1] + is_abandoned[1]


def _update_training(db: sqlite3.Connection, training_id: str, changes: Mapping[str, str | int | None]) -> None:
    values = {**changes, "updated": utc_now()}
    db.execute(f"UPDATE training SET {_assignments(values)} WHERE id = ?", (*values.values(), training_id))


def _insert(table: str, columns: tuple[str, ...]) -> str:
    return f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})"


def _assignments(changes: Mapping[str, str | int | None]) -> str:
    return ", ".join(f"{name} = ?" for name in changes)
