"""What is remembered of a training on the cluster, in a ConfigMap of its own, when its Workflows are gone.

Argo removes finished workflows after a time, and so may anyone. The record is written by whoever sees a change: the
recorder that `odahu-argo setup` installs, and every command that reads trainings. All write what they have seen in the same
way, so it does not matter who comes first.
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

KEY = "training.json"
LARGEST = 900_000
"""Bytes. Kubernetes takes a ConfigMap of one MiB; the oldest attempts make room."""
TRIES = 10
SELECTOR = {naming.MANAGED_BY_LABEL: naming.MANAGED_BY, naming.TRAINING_ID_LABEL: ""}

_ATTEMPTS = TypeAdapter(tuple[Attempt, ...], config=ConfigDict(defer_build=True))


def text_of(config_map: Object) -> str:
    """What a record holds, for `parse`; empty where it holds nothing."""
    data = config_map.get("data")
    return str(data.get(KEY, "")) if isinstance(data, dict) else ""


def parse(text: str) -> Training | None:
    """The training that a record's text remembers; None where it is none that this version can read."""
    try:
        written = json.loads(text)
        attempts = _ATTEMPTS.validate_python(written.get("attempts", []))
        return Training(str(written["id"]), attempts) if attempts else None
    except (ValueError, KeyError, TypeError, AttributeError, ValidationError):
        return None


def read(config_map: Object) -> Training | None:
    """The training that a record remembers; None where it holds none that this version can read."""
    return parse(text_of(config_map))


def texts(cluster: Cluster) -> dict[str, str]:
    """The text of every training's record in the namespace, which takes a small part of the memory of its values."""
    kept = cluster.gather(CONFIG_MAP, lambda each: (_training_id(each), text_of(each)), SELECTOR)
    return dict(kept.items)


def _training_id(config_map: Object) -> str:
    return str(config_map["metadata"]["labels"][naming.TRAINING_ID_LABEL])


def text(cluster: Cluster, training_id: str) -> str:
    """The text of a training's record; empty where there is none."""
    try:
        return text_of(cluster.get(CONFIG_MAP, naming.record_name(training_id)))
    except NotFound:
        return ""


def find(cluster: Cluster, training_id: str) -> Training | None:
    """What is remembered of a training; None where nothing is."""
    return parse(text(cluster, training_id))


def remember(cluster: Cluster, training: Training, is_new: bool = False) -> None:
    """Write what is newer in `training` into its record; nothing where the record says as much already, or where the
    training is deleted meanwhile. `is_new` says that there was no record a moment ago, and spares the look.

    Raises:
        Conflict: others have changed the record again and again.
        Forbidden, Unreachable: the API did not take it.
    """
    name = naming.record_name(training.id)
    for _ in range(TRIES):
        try:
            current = None if is_new else cluster.get(CONFIG_MAP, name)
        except NotFound:
            current = None
        is_new = False
        known = read(current) if current is not None else None
        merged = merge(known, training)
        if known is not None and is_same(known, merged):
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
    raise Conflict(f"the record of training {training.id!r} is being changed by others all the time")


def merge(known: Training | None, seen: Training) -> Training:
    """Both put together: for each attempt what was seen later, but never an outcome lost for a state that is not one."""
    attempts: dict[int, Attempt] = {each.number: each for each in known.attempts} if known else {}
    for each in seen.attempts:
        before = attempts.get(each.number)
        attempts[each.number] = each if before is None or each.uid != before.uid else _later(before, each)
    return Training(seen.id, tuple(attempts[number] for number in sorted(attempts)))


def _later(before: Attempt, after: Attempt) -> Attempt:
    if before.status.has_ended and not after.status.has_ended:
        return replace(before, is_gone=after.is_gone)
    if after.status.has_ended and not before.status.has_ended:
        return after
    return after if after.seen >= before.seen else before


def is_same(one: Training, other: Training) -> bool:
    """Whether they say the same, whenever it was seen."""
    return _unseen(one.attempts) == _unseen(other.attempts)


def _unseen(attempts: Iterable[Attempt]) -> list[Attempt]:
    return [replace(each, seen="") for each in attempts]


def config_map(name: str, training: Training, metadata: Mapping[str, object] | None = None) -> Object:
    """The record of a training; `metadata` is that of the record that it takes the place of."""
    attempts = list(training.attempts)
    written = _text(training.id, attempts)
    while len(written.encode()) > LARGEST and len(attempts) > 1:
        attempts.pop(0)
        written = _text(training.id, attempts)
    labels = {naming.MANAGED_BY_LABEL: naming.MANAGED_BY, naming.TRAINING_ID_LABEL: training.id}
    return {
        "apiVersion": CONFIG_MAP.api_version,
        "kind": CONFIG_MAP.name,
        "metadata": {**(metadata or {}), "name": name, "labels": labels},
        "data": {KEY: written},
    }


def _text(training_id: str, attempts: Iterable[Attempt]) -> str:
    return json.dumps({"id": training_id, "attempts": [asdict(each) for each in attempts]}, ensure_ascii=False)
