"""Read the queues of Kueue that hold pods of trainings. GET requests only, and none for trainings without a queue."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from time import monotonic

from odahu_argo import naming
from odahu_argo.kube.cluster import WORKLOAD, Cluster, Object
from odahu_argo.kube.kueue import list_kueue, read_cluster_queues, read_local_queues, read_priority_classes
from odahu_argo.status.model import QueuePlace
from odahu_argo.status.nodes import pod_name
from odahu_argo.status.pending_rules import NORMAL_START
from odahu_argo.status.queues import KueueObjects, QueuedPod, explain_queued_pod
from odahu_argo.status.rules import Explanation
from odahu_argo.status.snapshot import PENDING, take_snapshot
from odahu_argo.status.state import NO_WARNINGS
from odahu_argo.status.unstructured import get_path, mapping, sequence

MAX_AGE_SECONDS = 2.0
"""Time for which Kueue's objects serve all trainings that are read together."""


@dataclass(frozen=True, slots=True)
class PendingPod:
    """A pending pod with the label of a queue. `priority` is the name of a priority class, or empty."""

    step: str
    name: str
    queue: str
    priority: str


class QueueReader:
    """Reads why queues hold pods. Kueue's objects are listed once for many trainings."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._read_at = 0.0
        self._objects: KueueObjects | None = None

    def explain(self, pods: Iterable[PendingPod]) -> dict[str, QueuedPod]:
        """Return the pods that a queue holds, by name; all of them if Kueue cannot be read."""
        queued = {}
        for pod in pods:
            objects = self._kueue_objects(pod)
            found = explain_queued_pod(pod.name, pod.queue, pod.priority, objects) if objects else _unreadable(pod)
            if found is not None:
                queued[pod.name] = found
        return queued

    def _kueue_objects(self, pod: PendingPod) -> KueueObjects | None:
        if self._objects is None or monotonic() - self._read_at > MAX_AGE_SECONDS:
            self._objects, self._read_at = read_kueue_objects(self._cluster), monotonic()
        objects = self._objects
        if objects is None or not pod.priority or pod.name in objects.by_pod:
            return objects
        if objects.priority_classes is None:
            self._objects = objects.with_priority_classes(read_priority_classes(self._cluster))
        return self._objects


def pending_pods(workflow: Object) -> Sequence[PendingPod]:
    """Return the pending pods of a Workflow that have a queue and about which Argo has no message."""
    return _pending_pods(workflow) if _has_queue(workflow) else ()


def _has_queue(workflow: Object) -> bool:
    specs = (workflow.get("spec"), get_path(workflow, "status", "storedWorkflowTemplateSpec"))
    templates = (template for spec in specs for template in sequence(mapping(spec).get("templates")))
    return any(get_path(template, "metadata", "labels", naming.QUEUE_LABEL) for template in templates)


def read_kueue_objects(cluster: Cluster) -> KueueObjects | None:
    """Return the Workloads and queues of the namespace; None if Workloads cannot be read."""
    workloads = list_kueue(cluster, WORKLOAD)
    if workloads is None:
        return None
    return KueueObjects(workloads, read_local_queues(cluster), read_cluster_queues(cluster))


def _unreadable(pod: PendingPod) -> QueuedPod:
    message = f"waiting in queue {pod.queue}, or for the pod of step {pod.step} to start: Kueue cannot be read"
    hint = (
        f"ask a cluster administrator for the permission to list {WORKLOAD.resource}, and check that Kueue is installed"
    )
    return QueuedPod(Explanation("Queued", message, hint), QueuePlace(pod.queue))


def _pending_pods(workflow: Object) -> list[PendingPod]:
    snapshot = take_snapshot(workflow, NO_WARNINGS)
    found = []
    for step, node in snapshot.pods:
        queue = snapshot.spec.label(node.template, naming.QUEUE_LABEL)
        if queue and node.phase in ("", PENDING) and NORMAL_START.fullmatch(node.message):
            priority = snapshot.spec.label(node.template, naming.PRIORITY_LABEL)
            found.append(PendingPod(step.name, pod_name(snapshot.metadata, node), queue, priority))
    return found
