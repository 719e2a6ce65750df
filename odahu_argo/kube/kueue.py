"""Read the objects of Kueue, which may be absent: https://kueue.sigs.k8s.io/docs/concepts/."""

from __future__ import annotations

from collections.abc import Sequence

from odahu_argo.errors import Forbidden, NotFound, Rejected, Unreachable
from odahu_argo.kube.cluster import CLUSTER_QUEUE, LOCAL_QUEUE, WORKLOAD_PRIORITY_CLASS, Cluster, Kind, Object

EARLIER_VERSION = "v1beta1"
"""The only version that Kueue before 0.15 serves. Its fields that odahu-argo reads are the same."""


def read_local_queues(cluster: Cluster) -> dict[str, Object] | None:
    """Return the LocalQueues of the namespace by name; None if they cannot be read."""
    return _by_name(list_kueue(cluster, LOCAL_QUEUE))


def read_cluster_queues(cluster: Cluster) -> dict[str, Object] | None:
    """Return the ClusterQueues by name; None if they cannot be read."""
    return _by_name(list_kueue(cluster, CLUSTER_QUEUE))


def read_priority_classes(cluster: Cluster) -> list[str] | None:
    """Return the names of the WorkloadPriorityClasses; None if they cannot be read."""
    classes = _by_name(list_kueue(cluster, WORKLOAD_PRIORITY_CLASS))
    return None if classes is None else list(classes)


def list_kueue(cluster: Cluster, kind: Kind) -> Sequence[Object] | None:
    """Return all objects of a kind of Kueue; None if the cluster does not serve it or the account may not read it."""
    for version in (kind, kind.at_version(EARLIER_VERSION)):
        try:
            return cluster.list(version).items
        except NotFound:
            continue
        except (Forbidden, Rejected, Unreachable):
            return None
    return None


def _by_name(items: Sequence[Object] | None) -> dict[str, Object] | None:
    return None if items is None else {str(item["metadata"]["name"]): item for item in items}
