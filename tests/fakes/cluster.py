"""An in-memory implementation of the `Cluster` protocol, for tests that need no API server.

`tests/cluster/test_in_memory_cluster.py` runs the same assertions against this class and a real API server.
"""

from __future__ import annotations

import threading
import time
import uuid
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from odahu_argo.errors import OdahuArgoError
from odahu_argo.kube.cluster import (
    LOCAL_SUBJECT_ACCESS_REVIEW,
    POD,
    SELF_SUBJECT_ACCESS_REVIEW,
    Kind,
    Listing,
    Object,
    OnOpen,
    T,
    WatchEvent,
)
from odahu_argo.kube.errors import Action, from_status
from tests.fakes.merge import merge_patch, removals

READ_VERBS = {"get", "list", "watch", "log"}
_Key = tuple[str, str, str, str]
_Selector = Mapping[str, str] | None


@dataclass(frozen=True)
class FakeRequest:
    """A recorded request. `name` is empty for `list` and `watch`."""

    verb: str
    kind: str
    name: str = ""


@dataclass
class _Store:
    """State shared by the views of all namespaces. Objects are keyed by group, plural, namespace and name."""

    objects: dict[_Key, Object] = field(default_factory=dict)
    applied: dict[_Key, Object] = field(default_factory=dict)
    changes: list[tuple[_Key, Object | None, Object | None]] = field(default_factory=list)
    """The object before and after each change; the version of change n is n + 1."""
    oldest_version: int = 0
    requests: list[FakeRequest] = field(default_factory=list)
    failures: dict[str, list[OdahuArgoError]] = field(default_factory=lambda: defaultdict(list))
    denied: set[tuple[str, str]] = field(default_factory=set)
    forbidden: set[tuple[str, str]] = field(default_factory=set)
    logs: dict[tuple[str, str], list[str]] = field(default_factory=dict)
    changed: threading.Condition = field(default_factory=threading.Condition)
    watch_generation: int = 0
    watch_error: OdahuArgoError | None = None


class InMemoryCluster:
    """One namespace of a cluster; `in_namespace` returns a view of another one.

    `requests` records all requests, `logs` contains log lines by pod and container, and `denied` the (verb, resource) pairs
    that access reviews do not allow. `forbidden` contains the pairs that the API rejects, and `outage` the error of every
    request. Not implemented: validation, defaults, garbage collection, and merging list items
    by key in `apply`.
    """

    def __init__(self, namespace: str = "default", store: _Store | None = None) -> None:
        self.namespace = namespace
        self._store = store or _Store()
        self.requests, self.denied, self.logs = self._store.requests, self._store.denied, self._store.logs
        self.forbidden = self._store.forbidden
        self.outage: OdahuArgoError | None = None
        self.clock = lambda: datetime.now(UTC)
        self.watch_seconds = 1.0
        """Duration of a watch without a limit."""

    @property
    def writes(self) -> list[FakeRequest]:
        """Recorded requests that use another HTTP method than GET."""
        return [request for request in self.requests if request.verb not in READ_VERBS]

    def in_namespace(self, namespace: str) -> InMemoryCluster:
        """Return another namespace of the same cluster."""
        return InMemoryCluster(namespace, self._store)

    def fail_next(self, verb: str, error: OdahuArgoError) -> None:
        """Let the next request with this verb raise the error."""
        self._store.failures[verb].append(error)

    def end_watches(self, error: OdahuArgoError | None = None) -> None:
        """Let all open watches end, or raise the error."""
        with self._store.changed:
            self._store.watch_generation += 1
            self._store.watch_error = error
            self._store.changed.notify_all()

    def expire_versions(self) -> None:
        """Let watches from versions up to the current one raise `Expired`."""
        self._store.oldest_version = len(self._store.changes) + 1

    def get(self, kind: Kind, name: str) -> Object:
        self._record("get", kind, name)
        return deepcopy(self._existing("get", kind, name))

    def list(self, kind: Kind, labels: _Selector = None, fields: _Selector = None) -> Listing[Object]:
        return self._list(kind, labels, fields, lambda item: item)

    def gather(
        self, kind: Kind, keep: Callable[[Object], T], labels: _Selector = None, fields: _Selector = None
    ) -> Listing[T]:
        return self._list(kind, labels, fields, keep)

    def create(self, kind: Kind, body: Object, dry_run: bool = False) -> Object:
        metadata = body.get("metadata") or {}
        name = metadata.get("name") or metadata.get("generateName", "") + uuid.uuid4().hex[:5]
        self._record("create", kind, name)
        if kind in (SELF_SUBJECT_ACCESS_REVIEW, LOCAL_SUBJECT_ACCESS_REVIEW):
            return {**body, "status": {"allowed": self._is_allowed(body)}}
        if self._key(kind, name) in self._store.objects:
            raise self._error("create", kind, name, 409, "AlreadyExists")
        return self._write(kind, name, {**body, "metadata": {**metadata, "name": name}}, dry_run)

    def replace(self, kind: Kind, body: Object) -> Object:
        name = body["metadata"]["name"]
        self._record("update", kind, name)
        current = self._existing("update", kind, name)["metadata"]
        version = body["metadata"].get("resourceVersion")
        if version and version != current["resourceVersion"]:
            raise self._error("update", kind, name, 409, "Conflict", "the object has been modified")
        return self._write(kind, name, body)

    def patch(self, kind: Kind, name: str, change: Object) -> Object:
        self._record("patch", kind, name)
        return self._write(kind, name, merge_patch(self._existing("patch", kind, name), change))

    def apply(self, kind: Kind, body: Object, dry_run: bool = False) -> Object:
        name = body["metadata"]["name"]
        self._record("patch", kind, name)
        key = self._key(kind, name)
        removed = removals(self._store.applied.get(key, {}), body)
        if not dry_run:
            self._store.applied[key] = deepcopy(body)
        return self._write(kind, name, merge_patch(merge_patch(self._store.objects.get(key), removed), body), dry_run)

    def delete(self, kind: Kind, name: str, uid: str | None = None) -> None:
        self._record("delete", kind, name)
        current = self._existing("delete", kind, name)
        if uid is not None and uid != current["metadata"]["uid"]:
            raise self._error("delete", kind, name, 409, "Conflict", "the UID in the precondition does not match")
        with self._store.changed:
            del self._store.objects[self._key(kind, name)]
            self._store.applied.pop(self._key(kind, name), None)
            version = str(len(self._store.changes) + 2)
            last = {**current, "metadata": {**current["metadata"], "resourceVersion": version}}
            self._store.changes.append((self._key(kind, name), last, None))
            self._store.changed.notify_all()

    def watch(
        self,
        kind: Kind,
        labels: _Selector,
        resource_version: str,
        seconds: float | None = None,
        on_open: OnOpen | None = None,
    ) -> Iterator[WatchEvent]:
        self._record("watch", kind)
        position = int(resource_version) - 1
        if position + 1 < self._store.oldest_version:
            raise self._error("watch", kind, "", 410, "Expired")
        end = time.monotonic() + (self.watch_seconds if seconds is None else seconds)
        generation = self._store.watch_generation
        is_ended = threading.Event()

        def end_watch() -> None:
            with self._store.changed:
                is_ended.set()
                self._store.changed.notify_all()

        if on_open:
            on_open(end_watch)
        while True:
            with self._store.changed:
                while position >= len(self._store.changes):
                    if self._store.watch_generation != generation and self._store.watch_error:
                        raise self._store.watch_error
                    is_ended_now = is_ended.is_set() or self._store.watch_generation != generation
                    if is_ended_now or (rest := end - time.monotonic()) <= 0:
                        return
                    self._store.changed.wait(rest)
                key, before, after = self._store.changes[position]
            position += 1
            if self._is_selected(key, kind) and (event := _event(before, after, labels)):
                yield deepcopy(event)

    def pod_log(self, pod: str, container: str, follow: bool = False, on_open: OnOpen | None = None) -> Iterator[str]:
        self._record("log", POD, pod)
        self._existing("get", POD, pod)
        if (pod, container) not in self.logs:
            message = f'container "{container}" in pod "{pod}" is waiting to start'
            raise self._error("get", POD, pod, 400, "BadRequest", message)
        yield from list(self.logs[pod, container])

    def _list(self, kind: Kind, labels: _Selector, fields: _Selector, keep: Callable[[Object], T]) -> Listing[T]:
        self._record("list", kind)
        with self._store.changed:
            items = [item for key, item in sorted(self._store.objects.items()) if self._is_selected(key, kind)]
            version = str(len(self._store.changes) + 1)
        selected = [item for item in items if _has_labels(item, labels) and _has_fields(item, fields)]
        return Listing(tuple(keep(deepcopy(item)) for item in selected), version)

    def _write(self, kind: Kind, name: str, body: Object, dry_run: bool = False) -> Object:
        key = self._key(kind, name)
        with self._store.changed:
            before = self._store.objects.get(key)
            identity = {"uid": str(uuid.uuid4()), "creationTimestamp": f"{self.clock():%Y-%m-%dT%H:%M:%SZ}"}
            if before:
                identity = {key: before["metadata"][key] for key in identity}
            if kind.namespaced:
                identity["namespace"] = self.namespace
            metadata = {**body["metadata"], **identity}
            item = deepcopy({"apiVersion": kind.api_version, "kind": kind.name, **body, "metadata": metadata})
            if dry_run or item == before:
                return item
            item["metadata"]["resourceVersion"] = str(len(self._store.changes) + 2)
            self._store.objects[key] = item
            self._store.changes.append((key, before, item))
            self._store.changed.notify_all()
            return deepcopy(item)

    def _record(self, verb: str, kind: Kind, name: str = "") -> None:
        self.requests.append(FakeRequest(verb, kind.name, name))
        if self.outage:
            raise self.outage
        if (verb, kind.plural) in self.forbidden:
            message = f'User "viewer" cannot {verb} resource "{kind.plural}"'
            raise self._error(verb, kind, name, 403, "Forbidden", message)
        if failures := self._store.failures[verb]:
            raise failures.pop(0)

    def _existing(self, verb: str, kind: Kind, name: str) -> Object:
        item = self._store.objects.get(self._key(kind, name))
        if item is None:
            raise self._error(verb, kind, name, 404, "NotFound")
        return item

    def _key(self, kind: Kind, name: str) -> _Key:
        return kind.group, kind.plural, self.namespace if kind.namespaced else "", name

    def _is_selected(self, key: _Key, kind: Kind) -> bool:
        group, plural, namespace, _ = key
        return (group, plural) == (kind.group, kind.plural) and (not kind.namespaced or namespace == self.namespace)

    def _is_allowed(self, review: Object) -> bool:
        attributes = review["spec"].get("resourceAttributes") or {}
        return (attributes.get("verb"), attributes.get("resource")) not in self.denied

    def _error(self, verb: str, kind: Kind, name: str, code: int, reason: str, message: str = "") -> OdahuArgoError:
        status = {"kind": "Status", "code": code, "reason": reason, "message": message}
        return from_status(Action(verb, kind, self.namespace, name), "https://cluster.invalid", status)


def _event(before: Object | None, after: Object | None, labels: _Selector) -> WatchEvent | None:
    """Return the event that a watch with this selector receives, if any."""
    was_selected = before is not None and _has_labels(before, labels)
    if after and _has_labels(after, labels):
        return WatchEvent("modified" if was_selected else "added", after)
    return WatchEvent("deleted", after or before or {}) if was_selected else None


def _has_labels(item: Object, labels: _Selector) -> bool:
    actual = item["metadata"].get("labels") or {}
    return all(name in actual and (not value or actual[name] == value) for name, value in (labels or {}).items())


def _has_fields(item: Object, fields: _Selector) -> bool:
    for path, expected in (fields or {}).items():
        value: Any = item
        for name in path.split("."):
            value = value.get(name, "") if isinstance(value, dict) else ""
        if value != expected:
            return False
    return True
