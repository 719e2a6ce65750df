"""Limit on the wait of a pod for a node, enforced by the recorder.

Argo's `pendingTimeout` does not work in a template with retries, and counts the time in a queue. The annotation
`odahu.org/pending-timeout` of a template contains the limit instead. A run whose pod waits longer is stopped, and an
annotation of the Workflow says why.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from threading import Event

from odahu_argo import naming, quantity
from odahu_argo.errors import NotFound, OdahuArgoError
from odahu_argo.kube.cluster import POD, WORKFLOW, Cluster, Object
from odahu_argo.status.nodes import Node, pod_name
from odahu_argo.status.snapshot import PENDING, take_snapshot
from odahu_argo.status.state import NO_WARNINGS
from odahu_argo.status.unstructured import get_path, sequence, text
from odahu_argo.trainings.runs import SELECTOR

INTERVAL = 30.0
"""Seconds between two checks."""
_RUNNING = {**SELECTOR, "workflows.argoproj.io/phase": "Running"}


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

    def enforce(self, now: datetime) -> Iterator[str]:
        """Stop each run with a pod that has waited longer than its limit. Yield a line for each.

        Raises:
            Forbidden, Unreachable: The API did not answer.
        """
        seen: set[str] = set()
        for workflow in self._cluster.list(WORKFLOW, _RUNNING).items:
            for step, limit, pod, started in _waiting_pods(workflow):
                seen.add(pod)
                waiting_since = self._waiting_since(pod, started, now)
                if waiting_since is not None and now - waiting_since > limit:
                    yield self._stop(workflow, step, limit)
                    break
        self._queued &= seen
        self._released = {pod: time for pod, time in self._released.items() if pod in seen}

    def _waiting_since(self, pod: str, started: datetime, now: datetime) -> datetime | None:
        """Return the time from which the pod has waited for a node; None while a queue holds it, or if it is gone."""
        try:
            found = self._cluster.get(POD, pod)
        except NotFound:
            return None
        if sequence(get_path(found, "spec", "schedulingGates")):
            self._queued.add(pod)
            return None
        if pod in self._queued:
            return self._released.setdefault(pod, now)
        return started

    def _stop(self, workflow: Object, step: str, limit: timedelta) -> str:
        name = str(workflow["metadata"]["name"])
        annotations = {naming.STOPPED_ANNOTATION: naming.STOPPED_WAITING}
        self._cluster.patch(
            WORKFLOW, name, {"metadata": {"annotations": annotations}, "spec": {"shutdown": "Terminate"}}
        )
        return f"{name}: stopped: step {step} waited for a node longer than {limit.total_seconds():.0f} s"


def _waiting_pods(workflow: Object) -> Iterator[tuple[str, timedelta, str, datetime]]:
    """Yield step, limit, name and start of each pending pod whose template has a limit."""
    if get_path(workflow, "spec", "shutdown"):
        return
    snapshot = take_snapshot(workflow, NO_WARNINGS)
    for step, node in snapshot.pods:
        limit = text(snapshot.spec.annotation(node.template, naming.PENDING_TIMEOUT_ANNOTATION))
        started = _time(node)
        if node.phase == PENDING and limit and started is not None:
            try:
                seconds = quantity.seconds(limit)
            except ValueError:
                continue
            yield step.name, timedelta(seconds=seconds), pod_name(snapshot.metadata, node), started


def _time(node: Node) -> datetime | None:
    try:
        return datetime.fromisoformat(node.started)
    except ValueError:
        return None
