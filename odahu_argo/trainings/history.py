"""The recorded history of trainings: one ConfigMap per training, which outlives the training's Workflows.

Argo deletes finished Workflows after their time to live. The recorder that `odahu-argo setup` installs writes the records,
and so do commands that change a training. Commands that only read do not write. All writers merge in the same way, so their
order does not matter.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, replace

from pydantic import ConfigDict, TypeAdapter, ValidationError

from odahu_argo import naming
from odahu_argo.errors import AlreadyExists, Conflict, NotFound
from odahu_argo.kube.cluster import CONFIG_MAP, Cluster, Object
from odahu_argo.trainings.model import Attempt, Training
from odahu_argo.trainings.runs import training_id

KEY = "training.json"
MAX_BYTES = 900_000
"""Largest record. Kubernetes limits a ConfigMap to 1 MiB; the oldest attempts are dropped first."""
MAX_TRIES = 10
SELECTOR = {naming.MANAGED_BY_LABEL: naming.MANAGED_BY, naming.TRAINING_ID_LABEL: ""}

_ATTEMPTS = TypeAdapter(tuple[Attempt, ...], config=ConfigDict(defer_build=True))


def find_record(cluster: Cluster, training_id: str) -> Training | None:
    """Return the recorded training, or None without a readable record."""
    return parse_record(read_text(cluster, training_id))


def read_text(cluster: Cluster, training_id: str) -> str:
    """Return the text of a training's record; empty without one."""
    try:
        return record_text(cluster.get(CONFIG_MAP, naming.record_name(training_id)))
    except NotFound:
        return ""


def record_entry(config_map: Object) -> tuple[str, str]:
    """Return the training ID and the text of a record. Text needs far less memory than a parsed record."""
    return training_id(config_map), record_text(config_map)


def record_text(config_map: Object) -> str:
    """Return the text of a record for `parse_record`."""
    data = config_map.get("data")
    return str(data.get(KEY, "")) if isinstance(data, dict) else ""


def parse_record(text: str) -> Training | None:
    """Parse the text of a record. Return None if this version cannot read it."""
    try:
        record = json.loads(text)
        attempts = _ATTEMPTS.validate_python(record.get("attempts", []))
        return Training(str(record["id"]), attempts) if attempts else None
    except (ValueError, KeyError, TypeError, AttributeError, ValidationError):
        return None


def save(cluster: Cluster, training: Training, is_new: bool = False) -> None:
    """Merge a training into its record. Do nothing if the record is up to date or is deleted at the same time.

    With `is_new`, assume that there is no record yet, which saves a request.

    Raises:
        Conflict: Other writers kept changing the record.
        Forbidden, Rejected, Unreachable: The API did not accept the record.
    """
    name = naming.record_name(training.id)
    for _ in range(MAX_TRIES):
        try:
            current = None if is_new else cluster.get(CONFIG_MAP, name)
        except NotFound:
            current = None
        is_new = False
        recorded = parse_record(record_text(current)) if current is not None else None
        merged = merge(recorded, training)
        if recorded is not None and is_same(recorded, merged):
            return
        try:
            if current is None:
                cluster.create(CONFIG_MAP, config_map(name, merged))
            else:
                cluster.replace(CONFIG_MAP, config_map(name, merged, current["metadata"]))
            return
        except NotFound:
            return
        except (AlreadyExists, Conflict):
            continue
    raise Conflict(f"cannot update the record of training {training.id!r}: other processes keep changing it")


def merge(recorded: Training | None, observed: Training) -> Training:
    """Combine a record with a newer observation. Each attempt keeps its latest status, and a final state is never lost."""
    attempts: dict[int, Attempt] = {attempt.number: attempt for attempt in recorded.attempts} if recorded else {}
    for attempt in observed.attempts:
        before = attempts.get(attempt.number)
        is_other_run = before is None or attempt.uid != before.uid
        attempts[attempt.number] = attempt if is_other_run or before is None else _latest(before, attempt)
    return Training(observed.id, tuple(attempts[number] for number in sorted(attempts)))


def _latest(before: Attempt, after: Attempt) -> Attempt:
    if before.status.has_ended and not after.status.has_ended:
        return replace(before, is_gone=after.is_gone)
    if after.status.has_ended and not before.status.has_ended:
        return after
    return after if after.seen >= before.seen else before


def is_same(one: Training, other: Training) -> bool:
    """Return whether two trainings are equal apart from the time at which they were read."""
    return _without_time(one.attempts) == _without_time(other.attempts)


def _without_time(attempts: Iterable[Attempt]) -> list[Attempt]:
    return [replace(attempt, seen="") for attempt in attempts]


def config_map(name: str, training: Training, metadata: Mapping[str, object] | None = None) -> Object:
    """Return the record of a training. `metadata` is that of the record to replace."""
    attempts = list(training.attempts)
    text = to_text(training.id, attempts)
    while len(text.encode()) > MAX_BYTES and len(attempts) > 1:
        attempts.pop(0)
        text = to_text(training.id, attempts)
    labels = {naming.MANAGED_BY_LABEL: naming.MANAGED_BY, naming.TRAINING_ID_LABEL: training.id}
    return {
        "apiVersion": CONFIG_MAP.api_version,
        "kind": CONFIG_MAP.name,
        "metadata": {**(metadata or {}), "name": name, "labels": labels},
        "data": {KEY: text},
    }


def to_text(training_id: str, attempts: Iterable[Attempt]) -> str:
    """Return the text of a record. `parse_record` reads it."""
    entries = [asdict(attempt) for attempt in attempts]
    for entry in entries:
        del entry["local"]
    return json.dumps({"id": training_id, "attempts": entries}, ensure_ascii=False)
