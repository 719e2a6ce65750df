"""One list and one watch of a kind in a background thread, for any number of readers.

https://kubernetes.io/docs/reference/using-api/api-concepts/#efficient-detection-of-changes
"""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Generic

from odahu_argo.backoff import delays
from odahu_argo.errors import OdahuArgoError, ServiceFault, Unreachable
from odahu_argo.kube.cluster import Cluster, Kind, Object, T
from odahu_argo.kube.watch import (
    HEALTHY_SECONDS,
    MAX_RETRY_SECONDS,
    MIN_RETRY_SECONDS,
    KnownObject,
    WatchChange,
    WatchChanges,
    WatchInterrupted,
    watch,
)

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class InformerState:
    """What an informer knows about its connection.

    Attributes:
        has_listed: Whether the first list is complete.
        error: Why the cluster cannot be read at present; None if it can. Raise a copy: each raise extends its traceback.
        since: When `error` occurred first.
    """

    has_listed: bool = False
    error: OdahuArgoError | None = None
    since: datetime | None = None


class Informer(Generic[T]):
    """Reports the objects of a kind, then every change, from a thread of its own until `stop`.

    `on_changes` receives the changes of `kube.watch.watch`, and `on_state` is called when `state` has changed, both from the
    informer's thread. No failure ends the thread: it lists and watches again, also after a permission was denied.
    """

    def __init__(
        self,
        cluster: Cluster,
        kind: Kind,
        keep: Callable[[Object], T],
        labels: Mapping[str, str],
        on_changes: Callable[[Sequence[WatchChange[T]]], None],
        on_state: Callable[[], None],
    ) -> None:
        self.state = InformerState()
        self._cluster, self._kind, self._keep, self._labels = cluster, kind, keep, labels
        self._on_changes, self._on_state = on_changes, on_state
        self._known: dict[str, KnownObject[T]] = {}
        self._listed_at = math.inf
        self._stop = threading.Event()
        self._end_request: Callable[[], None] = lambda: None
        self._thread = threading.Thread(target=self._run, name=f"informer-{kind.plural}", daemon=True)

    def start(self) -> None:
        """Start the thread. An informer starts once."""
        self._thread.start()

    def stop(self) -> None:
        """End the watch and the thread, without waiting for it. A list that is being read is not interrupted."""
        self._stop.set()
        with suppress(OSError, RuntimeError, ValueError):
            self._end_request()

    def join(self, timeout: float) -> None:
        """Wait until the thread has ended, for at most `timeout` seconds."""
        self._thread.join(timeout)

    def _run(self) -> None:
        waits = delays(MIN_RETRY_SECONDS, MAX_RETRY_SECONDS)
        while not self._stop.is_set():
            try:
                self._watch()
            except OdahuArgoError as error:
                self._fail(error)
            except Exception as error:
                _log.exception("cannot watch %s objects", self._kind.name)
                self._fail(ServiceFault(f"cannot read {self._kind.name} objects: {type(error).__name__}: {error}"))
                self._report_again()
            if time.monotonic() - self._listed_at > HEALTHY_SECONDS:
                waits = delays(MIN_RETRY_SECONDS, MAX_RETRY_SECONDS)
            self._listed_at = math.inf
            self._stop.wait(next(waits))

    def _report_again(self) -> None:
        """Let the next list report every object, because `on_changes` may not have used the last ones."""
        for uid, item in self._known.items():
            self._known[uid] = replace(item, version="")

    def _watch(self) -> None:
        for update in watch(
            self._cluster,
            self._kind,
            self._keep,
            self._labels,
            stop=self._stop,
            on_open=self._opened,
            on_list=self._listed,
            known=self._known,
        ):
            match update:
                case WatchChanges(changes):
                    self._on_changes(changes)
                case WatchInterrupted(reason):
                    self._fail(Unreachable(reason, hint="try again later"))

    def _opened(self, end_request: Callable[[], None]) -> None:
        self._end_request = end_request
        if self._stop.is_set():
            end_request()

    def _listed(self) -> None:
        self._listed_at = time.monotonic()
        self.state = InformerState(has_listed=True)
        self._on_state()

    def _fail(self, error: OdahuArgoError) -> None:
        if not self._stop.is_set():
            since = self.state.since or datetime.now(UTC)
            self.state = InformerState(self.state.has_listed, error.with_traceback(None), since)
            self._on_state()
