"""Objects as they change: list, watch, and list again, for as long as the caller listens."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Generic

from odahu_argo.backoff import pauses
from odahu_argo.errors import Expired, Forbidden, Unreachable
from odahu_argo.kube.cluster import Cluster, Kind, Object, T, WatchEvent

FIRST_WAIT, LONGEST_WAIT = 0.5, 30.0
"""Seconds between two tries to reach the API."""
CALM = 5.0
"""A watch that has lasted so many seconds was a good one: the next follows at once."""
DENIAL = 60.0
"""Seconds for which a denial after a contact is taken for trouble: an API server that starts knows no rights yet."""


@dataclass(frozen=True, slots=True)
class Change(Generic[T]):
    """What is kept of an object as it is now, or as it was when it was last seen before it was deleted."""

    kept: T
    is_deleted: bool = False


@dataclass(frozen=True, slots=True)
class Changes(Generic[T]):
    """What has become known at once: one change, or all that a list tells."""

    all: Sequence[Change[T]]


@dataclass(frozen=True, slots=True)
class Trouble:
    """The API cannot be reached for now; it is tried again, and each time that fails is told. `why` says what happened."""

    why: str


@dataclass(frozen=True, slots=True)
class Back:
    """After trouble: the API is reached again, and all that changed meanwhile has been told."""


@dataclass(frozen=True, slots=True)
class _Known(Generic[T]):
    version: str
    kept: T


def watch(
    cluster: Cluster,
    kind: Kind,
    keep: Callable[[Object], T],
    labels: Mapping[str, str] | None = None,
    seconds: float | None = None,
) -> Iterator[Changes[T] | Trouble | Back]:
    """Every object with these labels as it is now, then each change; no version of an object twice.

    Of an object only what `keep` makes of it is told and held. It ends after `seconds` where they are given (later only by
    as long as one request takes), else when the caller closes it.

    What happens while the API is away, or while a watch is too old to go on (410), is found by listing again: also that
    an object is gone (https://kubernetes.io/docs/reference/using-api/api-concepts/#efficient-detection-of-changes). A
    connection that breaks is replaced in silence; it is told as trouble only if that fails.

    Raises:
        Forbidden: the account may not list or watch.
        NotFound: the cluster does not know the kind.
    """
    until = None if seconds is None else time.monotonic() + seconds
    known: dict[str, _Known[T]] = {}
    version, met, is_lost = "", -math.inf, False
    waits = pauses(FIRST_WAIT, LONGEST_WAIT)
    while not _is_over(until):
        began = time.monotonic()
        try:
            if not version:
                version = yield from _listed(cluster, kind, keep, labels, known)
                met = time.monotonic()
                if is_lost:
                    is_lost = False
                    yield Back()
            with closing(_events(cluster, kind, labels, version, until)) as events:
                for event in events:
                    version, met = _version(event.object) or version, time.monotonic()
                    if event.type != "bookmark" and (change := _change(known, event, keep)):
                        yield Changes([change])
        except Expired:
            version = ""
        except (Unreachable, Forbidden) as error:
            if isinstance(error, Forbidden) and time.monotonic() - met > DENIAL:
                raise
            if not version:
                is_lost = True
                yield Trouble(error.problems[0].message)
            version = ""
        is_calm = time.monotonic() - began > CALM
        if is_calm:
            waits = pauses(FIRST_WAIT, LONGEST_WAIT)
        if not (is_calm and version):
            _rest(next(waits), until)


def _listed(
    cluster: Cluster,
    kind: Kind,
    keep: Callable[[Object], T],
    labels: Mapping[str, str] | None,
    known: dict[str, _Known[T]],
) -> Generator[Changes[T], None, str]:
    """What a list says that was not known; gives the version to go on from."""
    listing = cluster.gather(kind, lambda item: (_uid(item), _Known(_version(item), keep(item))), labels)
    if changes := list(_differences(known, dict(listing.items))):
        yield Changes(changes)
    return listing.resource_version


def _events(
    cluster: Cluster, kind: Kind, labels: Mapping[str, str] | None, version: str, until: float | None
) -> Generator[WatchEvent, None, None]:
    """One watch; its connection is closed with it."""
    yield from cluster.watch(kind, labels, version, None if until is None else max(0.0, until - time.monotonic()))


def _is_over(until: float | None) -> bool:
    return until is not None and time.monotonic() >= until


def _rest(seconds: float, until: float | None) -> None:
    time.sleep(seconds if until is None else max(0.0, min(seconds, until - time.monotonic())))


def _differences(known: dict[str, _Known[T]], there: Mapping[str, _Known[T]]) -> Iterator[Change[T]]:
    """What a new list says that was not known: changed objects, and those that have gone meanwhile."""
    for uid in [uid for uid in known if uid not in there]:
        yield Change(known.pop(uid).kept, is_deleted=True)
    for uid, now in there.items():
        if uid not in known or known[uid].version != now.version:
            known[uid] = now
            yield Change(now.kept)


def _change(known: dict[str, _Known[T]], event: WatchEvent, keep: Callable[[Object], T]) -> Change[T] | None:
    uid, version = _uid(event.object), _version(event.object)
    if event.type == "deleted":
        known.pop(uid, None)
        return Change(keep(event.object), is_deleted=True)
    if uid in known and known[uid].version == version:
        return None
    known[uid] = _Known(version, keep(event.object))
    return Change(known[uid].kept)


def _uid(item: Object) -> str:
    metadata = item.get("metadata") or {}
    return str(metadata.get("uid") or metadata.get("name", ""))


def _version(item: Object) -> str:
    return str((item.get("metadata") or {}).get("resourceVersion", ""))
