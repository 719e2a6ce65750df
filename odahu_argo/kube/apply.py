"""Objects brought onto the cluster by server-side apply, and what that has changed."""

from __future__ import annotations

from typing import Any, Literal

from odahu_argo.errors import NotFound
from odahu_argo.kube.cluster import Cluster, Kind, Object

Outcome = Literal["created", "changed", "unchanged"]
_BOOKKEEPING = ("managedFields", "resourceVersion", "generation")


def apply(cluster: Cluster, kind: Kind, body: Object) -> Outcome:
    """Create the object or bring it up to date. Keys of its `data` that the body does not have are removed as well.

    Server-side apply alone would leave those that others have set
    (https://kubernetes.io/docs/reference/using-api/server-side-apply/#field-management).

    Raises:
        Rejected, Forbidden, Unreachable: the API did not take it.
    """
    name = body["metadata"]["name"]
    before = find(cluster, kind, name)
    after = cluster.apply(kind, body)
    left = set(after.get("data") or {}) - set(body.get("data") or {})
    if "data" in body and left:
        after = cluster.patch(kind, name, {"data": dict.fromkeys(sorted(left))})
    if before is None:
        return "created"
    return "unchanged" if _meaning(before) == _meaning(after) else "changed"


def find(cluster: Cluster, kind: Kind, name: str) -> Object | None:
    """The object, or None where there is none."""
    try:
        return cluster.get(kind, name)
    except NotFound:
        return None


def changed(found: Object) -> str:
    """When the object was last changed, in UTC (RFC 3339): the newest time among its managers.

    https://kubernetes.io/docs/reference/using-api/server-side-apply/#field-management
    """
    metadata = found["metadata"]
    times = [str(each.get("time") or "") for each in metadata.get("managedFields") or ()]
    return max([*times, str(metadata.get("creationTimestamp") or "")])


def _meaning(found: Object) -> dict[str, Any]:
    """What the object says, without its status and the API's bookkeeping."""
    metadata = {key: value for key, value in found["metadata"].items() if key not in _BOOKKEEPING}
    return {**{key: value for key, value in found.items() if key != "status"}, "metadata": metadata}
