"""One informer for the trainings of a namespace: one list and one watch each of Workflows and records, for all readers."""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterator
from contextlib import closing, suppress
from typing import Any

from odahu_argo.errors import OdahuArgoError, Unreachable
from odahu_argo.kube.cluster import CONFIG_MAP, WORKFLOW, Cluster
from odahu_argo.kube.informer import Informer, InformerState
from odahu_argo.trainings import history, runs
from odahu_argo.trainings.events import Changed, Deleted, Disconnected, Reconnected, WatchEvent
from odahu_argo.trainings.index import TrainingIndex
from odahu_argo.trainings.kept import keep_record, keep_run
from odahu_argo.trainings.pod_warnings import all_pod_warnings, slow_pods
from odahu_argo.trainings.queries import now, training_not_found
from odahu_argo.trainings.queues import QueueReader
from odahu_argo.trainings.selection import Outage

FIRST_LIST_SECONDS = 30.0
"""Longest time that a reader waits for the first lists."""
WRITE_SECONDS = 5.0
"""Longest time that a change waits until the lists contain it."""
WARNING_SECONDS = 5.0
"""Interval between checks of pods that start slowly. Without such pods, nothing is requested."""
STOP_SECONDS = 1.0
POLL_SECONDS = 1.0
"""Interval at which a watching reader looks for outages."""


class TrainingInformer:
    """Keeps `index` up to date from background threads, between `start` and `stop`.

    Kubernetes gets one list and one watch of Workflows and of records, whatever the number of readers, and one list of
    warning events, or of the queues that hold pods, every `WARNING_SECONDS` while pods start slowly.
    """

    def __init__(self, cluster: Cluster) -> None:
        self.index = TrainingIndex()
        self._cluster = cluster
        self._stop = threading.Event()
        self._informers: tuple[Informer[Any], ...] = (
            Informer(cluster, WORKFLOW, keep_run, runs.SELECTOR, self.index.apply_runs, self._state_changed),
            Informer(cluster, CONFIG_MAP, keep_record, history.SELECTOR, self.index.apply_records, self._state_changed),
        )
        self._warnings = threading.Thread(target=self._read_warnings, name="pod-warnings", daemon=True)

    def start(self) -> None:
        """Start to list and watch. Return at once."""
        for informer in self._informers:
            informer.start()
        self._warnings.start()

    def stop(self) -> None:
        """End the threads. Wait for each at most `STOP_SECONDS`; they do not delay the end of the process."""
        self._stop.set()
        for informer in self._informers:
            informer.stop()
        for informer in self._informers:
            informer.join(STOP_SECONDS)
        self._warnings.join(STOP_SECONDS)

    def check(self) -> Outage | None:
        """Wait for the first lists. Return why they may be outdated, or None if the watches work.

        Raises:
            Forbidden, Unreachable: The first lists cannot be read.
            Unreachable: The first lists take longer than `FIRST_LIST_SECONDS`.
        """
        self.index.wait_for(lambda: self.index.is_ready or self._failure is not None, FIRST_LIST_SECONDS)
        failure = self._failure
        if not self.index.is_ready:
            if failure is not None and failure.error is not None:
                raise _copy(failure.error)
            raise Unreachable(
                f"the trainings of namespace {self._cluster.namespace} are still being read from the cluster",
                hint="try again in a minute: only the first list after the start of the server takes long",
            )
        if failure is None or failure.error is None or failure.since is None:
            return None
        return Outage(failure.since, failure.error.problems[0].message)

    def require_current(self) -> None:
        """Wait for the first lists.

        Raises:
            Forbidden, Unreachable: The cluster cannot be read at present.
        """
        self.check()
        if (failure := self._failure) and failure.error:
            raise _copy(failure.error)

    def wait_for_run(self, training_id: str, uid: str) -> None:
        """Wait until the lists contain a run that was submitted, for at most `WRITE_SECONDS`."""
        if self.index.is_ready:
            self.index.wait_for(lambda: self.index.has_run(training_id, uid), WRITE_SECONDS)

    def wait_for_deletion(self, training_id: str) -> None:
        """Wait until the lists do not contain a training that was deleted, for at most `WRITE_SECONDS`."""
        if self.index.is_ready:
            self.index.wait_for(lambda: not self.index.has_training(training_id), WRITE_SECONDS)

    def watch(self, training_id: str | None = None) -> Iterator[WatchEvent]:
        """Yield every training, or one, then each change. A slow reader gets only the latest state of each training.

        Raises:
            NotFound: The training does not exist.
            Forbidden, Unreachable: The cluster cannot be read when the watch starts.
        """
        self.require_current()
        if training_id is not None and not self.index.has_training(training_id):
            raise training_not_found(self._cluster, training_id)
        with closing(self.index.subscribe()) as subscription:
            ids = list(self.index.snapshot().trainings) if training_id is None else [training_id]
            outage: Outage | None = None
            while not self._stop.is_set():
                for changed in ids:
                    if training_id in (None, changed):
                        training = self.index.find(changed)
                        yield Changed(training) if training else Deleted(changed)
                before, outage = outage, self.check()
                if outage and (before is None or outage.message != before.message):
                    yield Disconnected(outage.message)
                if before and not outage:
                    yield Reconnected()
                ids = list(subscription.take(POLL_SECONDS))

    @property
    def _failure(self) -> InformerState | None:
        """The state of the first informer that cannot read the cluster."""
        return next((informer.state for informer in self._informers if informer.state.error), None)

    def _state_changed(self) -> None:
        if all(informer.state.has_listed for informer in self._informers):
            self.index.complete()
        self.index.wake()

    def _read_warnings(self) -> None:
        """Read why slow pods do not start. The body of a thread."""
        queues = QueueReader(self._cluster)
        while not self._stop.wait(WARNING_SECONDS):
            time = now()
            starting = [run.starting for run in self.index.starting_runs() if run.starting]
            queued = queues.explain(pod for pods in starting for pod in pods.in_queues)
            slow = {pod for pods in starting for pod in slow_pods(pods.pods, time)} - set(queued)
            if slow or any(pods.in_queues for pods in starting):
                self.index.apply_causes(self._warnings_of(slow), queued)

    def _warnings_of(self, pods: Collection[str]) -> dict[str, str] | None:
        """Return the last warnings of these pods; None if they cannot be read."""
        if not pods:
            return {}
        with suppress(OdahuArgoError):
            return {pod: text for pod, text in all_pod_warnings(self._cluster).items() if pod in pods}
        return None


def _copy(error: OdahuArgoError) -> OdahuArgoError:
    return type(error)(error.problems)
