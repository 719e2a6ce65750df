"""Why a pod waits in a queue of Kueue, from Kueue's objects as plain data. Never raises.

Source: https://kueue.sigs.k8s.io/docs/concepts/, and the messages of Kueue 0.19 (pkg/scheduler, pkg/controller/core).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from odahu_argo.status.model import QueuePlace
from odahu_argo.status.rules import Explanation
from odahu_argo.status.unstructured import get_path, integer, mapping, sequence, text

Object = Mapping[str, Any]

STOP_POLICIES = ("Hold", "HoldAndDrain")
_UNUSED = re.compile(
    r"insufficient unused quota for (?P<resource>\S+) in flavor (?P<flavor>\S+), (?P<more>\S+) more needed"
)
_TOO_LARGE = re.compile(
    r"insufficient quota for (?P<resource>\S+) in flavor (?P<flavor>\S+?),.*?current podset request \((?P<request>[^)]+)\)"
    r" > maximum capacity \((?P<capacity>[^)]+)\)"
)
_NOT_COVERED = re.compile(r"resource (?P<resource>\S+) unavailable in ClusterQueue")
_AFFINITY = re.compile(r"flavor (?P<flavor>\S+) doesn't match node affinity")
_TAINT = re.compile(r"untolerated taint \{(?P<taint>[^}]*)\} in flavor (?P<flavor>[^\s,]+)")
_ADMIN_HINT = "ask the administrator of the queue"


@dataclass(frozen=True)
class KueueObjects:
    """Kueue's objects that concern a namespace. None means that the account may not read them.

    Attributes:
        workloads: Workloads of the namespace.
        local_queues: LocalQueues of the namespace by name.
        cluster_queues: ClusterQueues by name.
        priority_classes: Names of the WorkloadPriorityClasses.
    """

    workloads: Sequence[Object]
    local_queues: Mapping[str, Object] | None = None
    cluster_queues: Mapping[str, Object] | None = None
    priority_classes: Sequence[str] | None = None

    @cached_property
    def by_pod(self) -> Mapping[str, Object]:
        """Workloads by the name of the pod that they belong to."""
        return {pod: workload for workload in self.workloads if (pod := _owner(workload))}

    @cached_property
    def places(self) -> Mapping[str, QueuePlace]:
        """Places by name of the Workloads that wait in each queue: the highest priority first, then the oldest."""
        waiting: dict[str, list[Object]] = {}
        for workload in sorted(filter(_is_waiting, self.workloads), key=_order):
            waiting.setdefault(text(get_path(workload, "spec", "queueName")), []).append(workload)
        return {
            text(get_path(workload, "metadata", "name")): QueuePlace(queue, position, len(workloads))
            for queue, workloads in waiting.items()
            for position, workload in enumerate(workloads, start=1)
        }

    def with_priority_classes(self, names: Sequence[str] | None) -> KueueObjects:
        """Return a copy with the names of the WorkloadPriorityClasses."""
        return replace(self, priority_classes=names)


@dataclass(frozen=True, slots=True)
class QueuedPod:
    """A pod that a queue holds: why, and its place in the queue, if it has one."""

    explanation: Explanation
    place: QueuePlace


def explain_queued_pod(pod: str, queue: str, priority: str, kueue: KueueObjects) -> QueuedPod | None:
    """Return why a queue holds a pod. None if the queue has released it, or if that is not known.

    `queue` and `priority` are the values of the pod's labels.
    """
    workload = kueue.by_pod.get(pod)
    if workload is not None and condition(workload, "Admitted").get("status") == "True":
        return None
    blocked = _explain_queue(queue, kueue) or _explain_workload(workload, queue)
    if blocked is not None:
        return QueuedPod(blocked, QueuePlace(queue))
    if workload is None:
        return _explain_missing_workload(queue, priority, kueue)
    if condition(workload, "QuotaReserved").get("status") == "True":
        message = f"{queue} has reserved quota; Kueue's admission checks have not finished"
        return QueuedPod(Explanation("AdmissionChecks", message, _ADMIN_HINT), QueuePlace(queue))
    place = kueue.places.get(text(get_path(workload, "metadata", "name")), QueuePlace(queue, 1, 1))
    needs = _needs(workload, queue, kueue)
    message = f"queued in {queue}, {_ordinal(place.position)} of {place.length}{needs}"
    return QueuedPod(Explanation("Queued", message), place)


def find_workload(pod: str, workloads: Sequence[Object]) -> Object | None:
    """Return the Workload that Kueue created for a pod."""
    return next((workload for workload in workloads if _owner(workload) == pod), None)


def condition(item: Object, kind: str) -> Object:
    """Return a condition of an object's status; empty if it has none of this type."""
    conditions = map(mapping, sequence(get_path(item, "status", "conditions")))
    return next((each for each in conditions if each.get("type") == kind), {})


def explain_stopped_queue(
    queue: str, local_queue: Object, cluster_queues: Mapping[str, Object] | None
) -> Explanation | None:
    """Return why a LocalQueue admits no workloads; None if it does."""
    cluster_queue = text(get_path(local_queue, "spec", "clusterQueue"))
    if get_path(local_queue, "spec", "stopPolicy") in STOP_POLICIES:
        hint = f"{_ADMIN_HINT} to start it: set spec.stopPolicy of LocalQueue {queue} to None"
        return Explanation("QueueStopped", f"queue {queue} is stopped and admits no trainings", hint)
    reason = condition(local_queue, "Active").get("reason")
    is_missing = cluster_queues is not None and cluster_queue not in cluster_queues
    if is_missing or reason == "ClusterQueueDoesNotExist":
        message = f"queue {queue} belongs to the ClusterQueue {cluster_queue}, which does not exist"
        return Explanation("QueueInactive", message, f"{_ADMIN_HINT} to create it: odahu-argo setup queues")
    found = (cluster_queues or {}).get(cluster_queue, {})
    if get_path(found, "spec", "stopPolicy") in STOP_POLICIES:
        hint = f"{_ADMIN_HINT} to start it: set spec.stopPolicy of ClusterQueue {cluster_queue} to None"
        return Explanation("QueueStopped", f"the ClusterQueue {cluster_queue} of queue {queue} is stopped", hint)
    active = condition(found, "Active")
    if active.get("status") == "False" or reason == "ClusterQueueIsInactive":
        cause = text(active.get("message")).partition(": ")[2].rstrip(".")
        message = f"the ClusterQueue {cluster_queue} of queue {queue} is inactive{f': it {cause}' if cause else ''}"
        return Explanation("QueueInactive", message, f"{_ADMIN_HINT}: kubectl describe clusterqueue {cluster_queue}")
    return None


def _explain_queue(queue: str, kueue: KueueObjects) -> Explanation | None:
    if kueue.local_queues is None:
        return None
    if queue not in kueue.local_queues:
        return missing_queue(queue, kueue.local_queues)
    return explain_stopped_queue(queue, kueue.local_queues[queue], kueue.cluster_queues)


def missing_queue(queue: str, local_queues: Mapping[str, Object]) -> Explanation:
    """Return the explanation of a missing LocalQueue, with the existing ones as a hint."""
    available = ", ".join(sorted(local_queues))
    hint = f"set spec.queue to one of {available}" if available else "create it: odahu-argo setup queues"
    return Explanation("QueueNotFound", f"queue {queue} does not exist in the namespace", hint)


def missing_priority(priority: str, available: Sequence[str]) -> Explanation:
    """Return the explanation of a missing WorkloadPriorityClass, with the existing ones as a hint."""
    names = ", ".join(sorted(available))
    hint = (
        f"set spec.priority to one of {names}" if names else "remove spec.priority: the cluster has no priority classes"
    )
    return Explanation("PriorityNotFound", f"the priority class {priority} does not exist", hint)


def _explain_missing_workload(queue: str, priority: str, kueue: KueueObjects) -> QueuedPod | None:
    if priority and kueue.priority_classes is not None and priority not in kueue.priority_classes:
        return QueuedPod(missing_priority(priority, kueue.priority_classes), QueuePlace(queue))
    return None


def _explain_workload(workload: Object | None, queue: str) -> Explanation | None:
    """Return why a queue will not admit a workload as it is; None if it only has to wait."""
    if workload is None:
        return None
    if get_path(workload, "spec", "active") is False:
        name = text(get_path(workload, "metadata", "name"))
        message = f"the training is held in queue {queue}: its Workload {name} is not active"
        return Explanation("Held", message, f"release it: set spec.active of Workload {name} to true")
    message = text(condition(workload, "QuotaReserved").get("message"))
    if _UNUSED.search(message):
        return None
    if match := _TOO_LARGE.search(message):
        resource, flavor, request, capacity = match.groups()
        limit = f"it requires {request} {resource} of flavor {flavor}, and queue {queue} can have at most {capacity}"
        hint = "request less, set spec.queue to another queue, or ask the administrator for more quota"
        return Explanation("ExceedsQuota", f"the training can never start: {limit}", hint)
    if match := _NOT_COVERED.search(message):
        limit = f"its queue {queue} has no quota of {match['resource']}"
        hint = (
            f"ask the administrator to add {match['resource']} to the ClusterQueue, or set spec.queue to another queue"
        )
        return Explanation("ExceedsQuota", f"the training can never start: {limit}", hint)
    if "namespace doesn't match" in message:
        limit = f"the ClusterQueue of queue {queue} does not accept workloads of this namespace"
        return Explanation("QueueInactive", limit, f"{_ADMIN_HINT} to change its namespaceSelector")
    return _explain_flavors(message, queue)


def _explain_flavors(message: str, queue: str) -> Explanation | None:
    """Return why no flavor of a queue suits the pod's nodes; None if its flavors suit."""
    if match := _TAINT.search(message):
        taint = " ".join(part for part in match["taint"].split() if part != "<nil>")
        cause = f"flavor {match['flavor']} has the taint {taint}, which the node pool does not tolerate"
    elif match := _AFFINITY.search(message):
        cause = f"the nodes of flavor {match['flavor']} are not the ones that the training selects"
    else:
        return None
    hint = "correct tolerations and node_selector of the pool in the profile, or set spec.queue to another queue"
    return Explanation("NoMatchingFlavor", f"queue {queue} has no suitable nodes: {cause}", hint)


def _owner(workload: Object) -> str:
    """Return the name of the pod that a Workload belongs to; empty if it belongs to something else."""
    owners = map(mapping, sequence(get_path(workload, "metadata", "ownerReferences")))
    return next((text(owner.get("name")) for owner in owners if owner.get("kind") == "Pod"), "")


def _is_waiting(workload: Object) -> bool:
    has_quota = condition(workload, "QuotaReserved").get("status") == "True"
    has_ended = condition(workload, "Finished").get("status") == "True"
    return not (has_quota or has_ended or get_path(workload, "spec", "active") is False)


def _order(workload: Object) -> tuple[int, str, str]:
    metadata = mapping(workload.get("metadata"))
    priority = integer(get_path(workload, "spec", "priority")) or 0
    return -priority, text(metadata.get("creationTimestamp")), text(metadata.get("name"))


def _needs(workload: Object, queue: str, kueue: KueueObjects) -> str:
    """Return `; needs 1 more nvidia.com/gpu of flavor a100 (quota 8, 8 in use)`; empty if Kueue has not said so yet."""
    match = _UNUSED.search(text(condition(workload, "QuotaReserved").get("message")))
    if match is None:
        return ""
    local_queue = (kueue.local_queues or {}).get(queue, {})
    cluster_queue = (kueue.cluster_queues or {}).get(text(get_path(local_queue, "spec", "clusterQueue")), {})
    quota = _quota(cluster_queue, match["flavor"], match["resource"])
    usage = f" ({quota})" if quota else ""
    return f"; needs {match['more']} more {match['resource']} of flavor {match['flavor']}{usage}"


def _quota(cluster_queue: Object, flavor: str, resource: str) -> str:
    groups = map(mapping, sequence(get_path(cluster_queue, "spec", "resourceGroups")))
    flavors = [each for group in groups for each in sequence(group.get("flavors"))]
    quota = _amount(flavors, flavor, resource, "nominalQuota")
    used = _amount(sequence(get_path(cluster_queue, "status", "flavorsReservation")), flavor, resource, "total")
    return f"quota {quota}, {used or 0} in use" if quota else ""


def _amount(flavors: Sequence[Any], flavor: str, resource: str, field: str) -> str:
    for each in map(mapping, flavors):
        for entry in map(mapping, sequence(each.get("resources"))):
            if each.get("name") == flavor and entry.get("name") == resource:
                number = integer(entry.get(field))
                return text(entry.get(field)) if number is None else str(number)
    return ""


def _ordinal(number: int) -> str:
    suffix = "th" if number % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{suffix}"
