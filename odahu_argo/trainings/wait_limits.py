"""Limits on the waits of a pod in a queue and for a node, enforced by the recorder.

Argo's `pendingTimeout` does not work in a template with retries, and counts the time in a queue. The annotations
`odahu.org/pending-timeout` and `odahu.org/queue-timeout` of a template contain the limits instead. A run whose pod waits
longer is stopped, and an annotation of the Workflow says why. The wait for a node starts when the queue admits the pod.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from threading import Event

from odahu_argo import naming, quantity
from odahu_argo.errors import NotFound, OdahuArgoError, Rejected
from odahu_argo.kube.cluster import POD, WORKFLOW, WORKLOAD, Cluster, Object
from odahu_argo.kube.kueue import list_kueue
from odahu_argo.status.nodes import pod_name
from odahu_argo.status.queues import condition, find_workload
from odahu_argo.status.snapshot import PENDING, take_snapshot
from odahu_argo.status.state import NO_WARNINGS
from odahu_argo.status.unstructured import get_path, sequence, text
from odahu_argo.trainings.runs import SELECTOR

INTERVAL = 30.0
"""Seconds between two checks."""
_RUNNING = {**SELECTOR, "workflows.argoproj.io/phase": "Running"}


@dataclass(frozen=True, slots=True)
class _Wait:
    """A pending pod and its limits. `started` is when Argo created it."""

    step: str
    pod: str
    started: datetime
    node_limit: timedelta | None
    queue_limit: timedelta | None
    has_queue: bool


class WaitLimits:
    """Limits of the pods in a namespace. Remembers when a queue released a pod."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._queued: set[str] = set()
        self._released: dict[str, datetime] = {}

    def run(self, report: Callable[[str], None], stop: Event) -> None:
        """Check all runs every `INTERVAL` seconds until `stop`. Errors are reported, and the check is repeated."""
        while not stop.wait(INTERVAL):
            try:
                for line in self.enforce(datetime.now(UTC)):
                    report(line)
            except OdahuArgoError as error:
                report(f"cannot check the waits for nodes: {error.problems[0].message}")
            except Exception as error:
                report(f"cannot check the waits for nodes: {type(error).__name__}: {error}")

    def enforce(self, now: datetime) -> Iterator[str]:
        """Stop each run with a pod that has waited longer than its limits. Yield a line for each.

        Raises:
            Forbidden, Unreachable: The API did not answer.
        """
        seen: set[str] = set()
        for workflow in self._cluster.list(WORKFLOW, _RUNNING).items:
            for wait in _waiting_pods(workflow):
                seen.add(wait.pod)
                if exceeded := self._exceeded(wait, now):
                    yield self._stop(workflow, wait, *exceeded)
                    break
        self._queued &= seen
        self._released = {pod: time for pod, time in self._released.items() if pod in seen}

    def _exceeded(self, wait: _Wait, now: datetime) -> tuple[str, timedelta] | None:
        """Return the limit that a pod exceeds and its name; None if it exceeds none, has a node, or is gone."""
        try:
            pod = self._cluster.get(POD, wait.pod)
        except NotFound:
            return None
        if sequence(get_path(pod, "spec", "schedulingGates")):
            self._queued.add(wait.pod)
            is_over = wait.queue_limit is not None and now - wait.started > wait.queue_limit
            return (naming.STOPPED_IN_QUEUE, wait.queue_limit) if is_over and wait.queue_limit else None
        if wait.node_limit is None or get_path(pod, "spec", "nodeName"):
            return None
        is_over = now - self._waiting_since(wait, now) > wait.node_limit
        return (naming.STOPPED_WAITING, wait.node_limit) if is_over else None

    def _waiting_since(self, wait: _Wait, now: datetime) -> datetime:
        """Return the time from which a pod without gates has waited for a node.

        The Workload of a pod has the time of its admission. Without it, the release counts from the first check that saw it.
        """
        if wait.pod in self._released:
            return self._released[wait.pod]
        if not (wait.has_queue or wait.pod in self._queued):
            return wait.started
        released = (self._admitted(wait.pod) if wait.has_queue else None) or now
        return self._released.setdefault(wait.pod, released)

    def _admitted(self, pod: str) -> datetime | None:
        workload = find_workload(pod, list_kueue(self._cluster, WORKLOAD) or ())
        admitted = condition(workload, "Admitted") if workload else {}
        return _parse_time(text(admitted.get("lastTransitionTime"))) if admitted.get("status") == "True" else None

    def _stop(self, workflow: Object, wait: _Wait, cause: str, limit: timedelta) -> str:
        name = str(workflow["metadata"]["name"])
        change = {"metadata": {"annotations": {naming.STOPPED_ANNOTATION: cause}}, "spec": {"shutdown": "Terminate"}}
        try:
            self._cluster.patch(WORKFLOW, name, change)
        except (NotFound, Rejected) as error:
            return f"{name}: cannot be stopped: {error.problems[0].message}"
        what = "in its queue" if cause == naming.STOPPED_IN_QUEUE else "for a node"
        return f"{name}: stopped: step {wait.step} waited {what} longer than {limit.total_seconds():.0f} s"


def _waiting_pods(workflow: Object) -> Iterator[_Wait]:
    """Yield each pending pod whose template has a limit."""
    if get_path(workflow, "spec", "shutdown"):
        return
    snapshot = take_snapshot(workflow, NO_WARNINGS)
    for step, node in snapshot.pods:
        node_limit = _limit(snapshot.spec.annotation(node.template, naming.PENDING_TIMEOUT_ANNOTATION))
        queue_limit = _limit(snapshot.spec.annotation(node.template, naming.QUEUE_TIMEOUT_ANNOTATION))
        started = _parse_time(node.started)
        if node.phase == PENDING and (node_limit or queue_limit) and started is not None:
            has_queue = bool(snapshot.spec.label(node.template, naming.QUEUE_LABEL))
            yield _Wait(step.name, pod_name(snapshot.metadata, node), started, node_limit, queue_limit, has_queue)


def _limit(annotation: str) -> timedelta | None:
    try:
        return timedelta(seconds=quantity.seconds(annotation)) if annotation else None
    except ValueError:
        return None


def _parse_time(time: str) -> datetime | None:
    try:
        return datetime.fromisoformat(time)
    except ValueError:
        return None
