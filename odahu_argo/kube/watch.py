"""Watch objects through connection failures: list, watch, and list again when the resource version has expired.

https://kubernetes.io/docs/reference/using-api/api-concepts/#efficient-detection-of-changes
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Generic

from odahu_argo.backoff import delays
from odahu_argo.errors import Expired, Forbidden, Unreachable
from odahu_argo.kube.cluster import Cluster, Kind, Object, OnOpen, T, WatchEvent

MIN_RETRY_SECONDS, MAX_RETRY_SECONDS = 0.5, 30.0
HEALTHY_SECONDS = 5.0
"""A watch that lasted this long resets the delay, and the next one follows at once."""
FORBIDDEN_GRACE_SECONDS = 60.0
"""`Forbidden` within this time after a success is retried: a starting API server has not loaded its RBAC rules yet."""


@dataclass(frozen=True, slots=True)
class WatchChange(Generic[T]):
    """A new or changed object, or the last known state of a deleted one, as returned by `keep`."""

    value: T
    is_deleted: bool = False


@dataclass(frozen=True, slots=True)
class WatchChanges(Generic[T]):
    """Changes that became known together: one from a watch event, or all from a list."""

    items: Sequence[WatchChange[T]]


@dataclass(frozen=True, slots=True)
class WatchInterrupted:
    """The API server is unreachable. Repeated for every failed retry."""

    reason: str


@dataclass(frozen=True, slots=True)
class WatchRestored:
    """The API server is reachable again, and all changes during the interruption have been reported."""


@dataclass(frozen=True, slots=True)
class KnownObject(Generic[T]):
    """The last reported version of an object."""

    version: str
    value: T


def watch(
    cluster: Cluster,
    kind: Kind,
    keep: Callable[[Object], T],
    labels: Mapping[str, str] | None = None,
    seconds: float | None = None,
    stop: threading.Event | None = None,
    on_open: OnOpen | None = None,
    on_list: Callable[[], None] | None = None,
    known: dict[str, KnownObject[T]] | None = None,
) -> Iterator[WatchChanges[T] | WatchInterrupted | WatchRestored]:
    """Yield all matching objects, then every change, until `seconds` have passed or the caller closes the iterator.

    Another thread ends the iterator by setting `stop` and then calling the functions that `on_open` has received.

    Each version of an object is reported at most once. Only `keep(object)` is stored and reported. A list after an
    interruption or an expired version (410) reveals changes and deletions in between. A broken connection is replaced
    silently; it is an interruption only if that fails.

    `on_list` is called when all changes that a list reveals have been reported. `known` contains the objects by UID that
    an earlier call has reported, and is updated.

    Raises:
        Forbidden: the account may not list or watch the kind.
        NotFound: the cluster does not support the kind.
    """
    deadline = math.inf if seconds is None else time.monotonic() + seconds
    stop = stop or threading.Event()
    known = {} if known is None else known
    version, last_success, last_watch, is_interrupted = "", -math.inf, -math.inf, False
    backoff = delays(MIN_RETRY_SECONDS, MAX_RETRY_SECONDS)

    def opened(end_request: Callable[[], None]) -> None:
        nonlocal last_success, last_watch
        last_success = last_watch = time.monotonic()
        if on_open:
            on_open(end_request)

    while (started := time.monotonic()) < deadline and not stop.is_set():
        try:
            if not version:
                version = yield from _list(cluster, kind, keep, labels, known)
                last_success = time.monotonic()
                if on_list:
                    on_list()
                if is_interrupted:
                    is_interrupted = False
                    yield WatchRestored()
            with closing(_watch_once(cluster, kind, labels, version, deadline, opened)) as events:
                for event in events:
                    version, last_success = _version(event.object) or version, time.monotonic()
                    last_watch = last_success
                    if event.type != "bookmark" and (change := _change(known, event, keep)):
                        yield WatchChanges([change])
        except Expired:
            version = ""
        except (Unreachable, Forbidden) as error:
            since = last_watch if version else last_success
            if isinstance(error, Forbidden) and time.monotonic() - since > FORBIDDEN_GRACE_SECONDS:
                raise
            if not version and not stop.is_set():
                is_interrupted = True
                yield WatchInterrupted(error.problems[0].message)
            version = ""
        is_healthy = time.monotonic() - started > HEALTHY_SECONDS
        if is_healthy:
            backoff = delays(MIN_RETRY_SECONDS, MAX_RETRY_SECONDS)
        if not (is_healthy and version):
            stop.wait(max(0.0, min(next(backoff), deadline - time.monotonic())))


def _list(
    cluster: Cluster,
    kind: Kind,
    keep: Callable[[Object], T],
    labels: Mapping[str, str] | None,
    known: dict[str, KnownObject[T]],
) -> Generator[WatchChanges[T], None, str]:
    """Yield the differences between a new list and the known objects, and return the version to watch from."""
    listing = cluster.gather(kind, lambda item: (_uid(item), KnownObject(_version(item), keep(item))), labels)
    current = dict(listing.items)
    changes = [WatchChange(known.pop(uid).value, is_deleted=True) for uid in list(known) if uid not in current]
    for uid, item in current.items():
        if uid not in known or known[uid].version != item.version:
            known[uid] = item
            changes.append(WatchChange(item.value))
    if changes:
        yield WatchChanges(changes)
    return listing.resource_version


def _watch_once(
    cluster: Cluster,
    kind: Kind,
    labels: Mapping[str, str] | None,
    version: str,
    deadline: float,
    on_open: OnOpen | None,
) -> Generator[WatchEvent, None, None]:
    """Yield the events of one watch request. Closing the generator closes the connection."""
    seconds = None if deadline == math.inf else max(0.0, deadline - time.monotonic())
    yield from cluster.watch(kind, labels, version, seconds, on_open)


def _change(known: dict[str, KnownObject[T]], event: WatchEvent, keep: Callable[[Object], T]) -> WatchChange[T] | None:
    """Update the known objects and return the change; None if this version is known."""
    uid, version = _uid(event.object), _version(event.object)
    if event.type == "deleted":
        known.pop(uid, None)
        return WatchChange(keep(event.object), is_deleted=True)
    if uid in known and known[uid].version == version:
        return None
    known[uid] = KnownObject(version, keep(event.object))
    return WatchChange(known[uid].value)


def _uid(item: Object) -> str:
    metadata = item.get("metadata") or {}
    return str(metadata.get("uid") or metadata.get("name", ""))


def _version(item: Object) -> str:
    return str((item.get("metadata") or {}).get("resourceVersion", ""))
