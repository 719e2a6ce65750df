"""Node statuses that Argo's controller offloads to its database, read from Argo Server.

https://argo-workflows.readthedocs.io/en/latest/offloading-large-workflows/
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING
from urllib.parse import quote

from odahu_argo.kube.cluster import WORKFLOW, Cluster, Kind, Listing, Object, OnOpen, T, WatchEvent

if TYPE_CHECKING:
    from odahu_argo.http import HttpSession

TOKEN_VARIABLE = "ARGO_TOKEN"
"""Environment variable with the complete `Authorization` header, as for Argo's own command line."""
READ_SECONDS = 10.0


class ArgoServer:
    """Client of Argo Server's REST API. The server is optional: if it does not answer, results are empty."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._session: HttpSession | None = None

    def version(self) -> str | None:
        """Return the server's version, such as `v4.1.2`, or None if the server does not report one."""
        version = self._get("version").get("version")
        return version if isinstance(version, str) else None

    def nodes(self, namespace: str, workflow: str) -> Object:
        """Return `status.nodes` of a workflow; empty if the server does not return any."""
        status = self._get(f"workflows/{quote(namespace, safe='')}/{quote(workflow, safe='')}").get("status")
        nodes = status.get("nodes") if isinstance(status, dict) else None
        return nodes if isinstance(nodes, dict) else {}

    def _get(self, path: str) -> Object:
        from odahu_argo.http import HttpSession, read_body

        if self._session is None:
            self._session = HttpSession(self._url, retries=0, read_seconds=READ_SECONDS)
            self._session.headers["Accept"] = "application/json"
            if token := os.environ.get(TOKEN_VARIABLE):
                self._session.headers["Authorization"] = token
        try:
            response = self._session.get(f"{self._url}/api/v1/{path}")
            body = read_body(response)
            content = json.loads(body) if response.status_code == 200 else {}
        except (OSError, ValueError, RecursionError):
            return {}
        return content if isinstance(content, dict) else {}


@dataclass(frozen=True, slots=True)
class ClusterWithArgoServer:
    """A cluster whose workflows get their offloaded nodes from Argo Server.

    If the server returns no nodes, the workflow keeps its `offloadNodeStatusVersion`, and its status reports the reason.
    """

    cluster: Cluster
    server: ArgoServer

    @property
    def namespace(self) -> str:
        """See `Cluster.namespace`."""
        return self.cluster.namespace

    def get(self, kind: Kind, name: str) -> Object:
        """See `Cluster.get`."""
        return self._with_nodes(kind, self.cluster.get(kind, name))

    def list(
        self, kind: Kind, labels: Mapping[str, str] | None = None, fields: Mapping[str, str] | None = None
    ) -> Listing[Object]:
        """See `Cluster.list`."""
        listing = self.cluster.list(kind, labels, fields)
        return replace(listing, items=[self._with_nodes(kind, item) for item in listing.items])

    def gather(self, kind: Kind, keep: Callable[[Object], T], labels: Mapping[str, str] | None = None) -> Listing[T]:
        """See `Cluster.gather`."""
        return self.cluster.gather(kind, lambda item: keep(self._with_nodes(kind, item)), labels)

    def create(self, kind: Kind, body: Object, dry_run: bool = False) -> Object:
        """See `Cluster.create`."""
        return self.cluster.create(kind, body, dry_run)

    def replace(self, kind: Kind, body: Object) -> Object:
        """See `Cluster.replace`."""
        return self.cluster.replace(kind, body)

    def patch(self, kind: Kind, name: str, change: Object) -> Object:
        """See `Cluster.patch`."""
        return self.cluster.patch(kind, name, change)

    def apply(self, kind: Kind, body: Object, dry_run: bool = False) -> Object:
        """See `Cluster.apply`."""
        return self.cluster.apply(kind, body, dry_run)

    def delete(self, kind: Kind, name: str, uid: str | None = None) -> None:
        """See `Cluster.delete`."""
        self.cluster.delete(kind, name, uid)

    def watch(
        self,
        kind: Kind,
        labels: Mapping[str, str] | None,
        resource_version: str,
        seconds: float | None = None,
        on_open: OnOpen | None = None,
    ) -> Iterator[WatchEvent]:
        """See `Cluster.watch`."""
        for event in self.cluster.watch(kind, labels, resource_version, seconds, on_open):
            yield replace(event, object=self._with_nodes(kind, event.object))

    def pod_log(self, pod: str, container: str, follow: bool = False, on_open: OnOpen | None = None) -> Iterator[str]:
        """See `Cluster.pod_log`."""
        return self.cluster.pod_log(pod, container, follow, on_open)

    def _with_nodes(self, kind: Kind, item: Object) -> Object:
        status = item.get("status")
        if kind is not WORKFLOW or not isinstance(status, dict) or not status.get("offloadNodeStatusVersion"):
            return item
        nodes = self.server.nodes(self.namespace, str(item["metadata"].get("name", "")))
        if not nodes:
            return item
        inline = {name: value for name, value in status.items() if name != "offloadNodeStatusVersion"}
        return {**item, "status": {**inline, "nodes": nodes}}
