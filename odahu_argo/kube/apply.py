"""Create or update objects by server-side apply.

https://kubernetes.io/docs/reference/using-api/server-side-apply/
"""

from __future__ import annotations

from typing import Any, Literal

from odahu_argo.errors import NotFound
from odahu_argo.kube.cluster import Cluster, Kind, Object

Outcome = Literal["created", "changed", "unchanged"]
_SERVER_FIELDS = ("managedFields", "resourceVersion", "generation")


def apply(cluster: Cluster, kind: Kind, body: Object) -> Outcome:
    """Create or update an object, and remove all keys from its `data` that `body` lacks.

    Server-side apply alone keeps keys of other field managers.

    Raises:
        Rejected, Forbidden, Unreachable: the API server did not accept the object.
    """
    name = body["metadata"]["name"]
    before = find(cluster, kind, name)
    after = cluster.apply(kind, body)
    extra_keys = set(after.get("data") or {}) - set(body.get("data") or {})
    if "data" in body and extra_keys:
        after = cluster.patch(kind, name, {"data": dict.fromkeys(sorted(extra_keys))})
    if before is None:
        return "created"
    return "unchanged" if _content(before) == _content(after) else "changed"


def find(cluster: Cluster, kind: Kind, name: str) -> Object | None:
    """Return an object, or None if it does not exist."""
    try:
        return cluster.get(kind, name)
    except NotFound:
        return None


def last_change(item: Object) -> str:
    """Return the time of the last change in UTC (RFC 3339): the newest of its managed fields, or its creation."""
    metadata = item["metadata"]
    times = [str(manager.get("time") or "") for manager in metadata.get("managedFields") or ()]
    return max([*times, str(metadata.get("creationTimestamp") or "")])


def _content(item: Object) -> dict[str, Any]:
    """Return the object without its status and the fields that the API server sets."""
    metadata = {key: value for key, value in item["metadata"].items() if key not in _SERVER_FIELDS}
    return {**{key: value for key, value in item.items() if key != "status"}, "metadata": metadata}
