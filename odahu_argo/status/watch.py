"""Objects as they change: list, watch, and list again, for as long as the caller listens."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from odahu_argo.submit.cluster import Cluster, Expired, Kind, Object, Unreachable

FIRST_WAIT, LONGEST_WAIT = 0.5, 30.0
"""Seconds between two tries to reach the API; doubled each time, and drawn at random below that."""


@dataclass(frozen=True, slots=True)
class Change:
    """An object as it is now, or as it was when it was deleted."""

    object: Object
    is_deleted: bool = False


@dataclass(frozen=True, slots=True)
class Trouble:
    """The API cannot be reached for now; it is tried again. `why` says what happened."""

    why: str


def watch(cluster: Cluster, kind: Kind, labels: Mapping[str, str] | None = None) -> Iterator[Change | Trouble]:
    """Every object with these labels as it is now, then each change, without end; no version of an object twice.

    What happens while the API is away, or while a watch is too old to go on (410), is found by listing again: also that
    an object is gone (https://kubernetes.io/docs/reference/using-api/api-concepts/#efficient-detection-of-changes).

    Raises:
        Denied: the account may not list or watch.
    """
    known: dict[str, Object] = {}
    version = ""
    wait = FIRST_WAIT
    while True:
        try:
            if not version:
                listing = cluster.list(kind, labels)
                yield from _differences(known, listing.items)
                version = listing.resource_version
            for event in cluster.watch(kind, labels, version):
                wait = FIRST_WAIT
                version = str((event.object.get("metadata") or {}).get("resourceVersion") or version)
                if event.type != "bookmark":
                    yield from _change(known, event.object, event.type == "deleted")
        except Expired:
            version = ""
        except Unreachable as error:
            yield Trouble(error.problems[0].message)
            time.sleep(random.uniform(wait / 2, wait))
            wait = min(2 * wait, LONGEST_WAIT)
            version = ""


def _differences(known: dict[str, Object], items: Sequence[Object]) -> Iterator[Change]:
    """What a new list says that was not known: changed objects, and those that have gone meanwhile."""
    there = {_uid(item): item for item in items}
    for uid in [uid for uid in known if uid not in there]:
        yield Change(known.pop(uid), is_deleted=True)
    for item in there.values():
        yield from _change(known, item, is_deleted=False)


def _change(known: dict[str, Object], item: Object, is_deleted: bool) -> Iterator[Change]:
    before = known.get(_uid(item))
    if is_deleted:
        known.pop(_uid(item), None)
        yield Change(item, is_deleted=True)
    elif before is None or _version(before) != _version(item):
        known[_uid(item)] = item
        yield Change(item)


def _uid(item: Object) -> str:
    return str(item["metadata"].get("uid", item["metadata"].get("name", "")))


def _version(item: Object) -> str:
    return str(item["metadata"].get("resourceVersion", ""))
