"""Workflows whose nodes Argo's controller keeps in its database, made whole by asking Argo Server.

https://argo-workflows.readthedocs.io/en/latest/offloading-large-workflows/
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from urllib.parse import quote

from odahu_argo.kube.cluster import WORKFLOW, Cluster, Event, Kind, Listing, Object, T

TOKEN_VARIABLE = "ARGO_TOKEN"
"""The whole value of the header `Authorization`, as Argo's own command line has it."""
TIMEOUT = 10
LARGEST = 64 * 2**20
"""Bytes of an answer."""


@dataclass(frozen=True, slots=True)
class WithArgoServer:
    """The same cluster, but that a workflow without its nodes is asked of Argo Server at `url`.

    Where the server does not answer, the workflow stays as it is, and its status says where the nodes are.
    """

    cluster: Cluster
    url: str

    @property
    def namespace(self) -> str:
        """The namespace that all methods work in."""
        return self.cluster.namespace

    def get(self, kind: Kind, name: str) -> Object:
        """The object; NotFound where there is none."""
        return self._whole(kind, self.cluster.get(kind, name))

    def list(
        self, kind: Kind, labels: Mapping[str, str] | None = None, fields: Mapping[str, str] | None = None
    ) -> Listing[Object]:
        """Every object with these labels."""
        listing = self.cluster.list(kind, labels, fields)
        return replace(listing, items=[self._whole(kind, item) for item in listing.items])

    def gather(self, kind: Kind, keep: Callable[[Object], T], labels: Mapping[str, str] | None = None) -> Listing[T]:
        """What `keep` makes of each object with these labels."""
        return self.cluster.gather(kind, lambda item: keep(self._whole(kind, item)), labels)

    def create(self, kind: Kind, body: Object, dry_run: bool = False) -> Object:
        """As the cluster does."""
        return self.cluster.create(kind, body, dry_run)

    def replace(self, kind: Kind, body: Object) -> Object:
        """As the cluster does."""
        return self.cluster.replace(kind, body)

    def patch(self, kind: Kind, name: str, change: Object) -> Object:
        """As the cluster does."""
        return self.cluster.patch(kind, name, change)

    def apply(self, kind: Kind, body: Object, dry_run: bool = False) -> Object:
        """As the cluster does."""
        return self.cluster.apply(kind, body, dry_run)

    def delete(self, kind: Kind, name: str, uid: str | None = None) -> None:
        """As the cluster does."""
        self.cluster.delete(kind, name, uid)

    def watch(
        self, kind: Kind, labels: Mapping[str, str] | None, resource_version: str, seconds: float | None = None
    ) -> Iterator[Event]:
        """Changes after that version, until the API ends the stream, at the latest after `seconds`."""
        for event in self.cluster.watch(kind, labels, resource_version, seconds):
            yield replace(event, object=self._whole(kind, event.object))

    def pod_log(self, pod: str, container: str, follow: bool = False) -> Iterator[str]:
        """As the cluster does."""
        return self.cluster.pod_log(pod, container, follow)

    def _whole(self, kind: Kind, item: Object) -> Object:
        status = item.get("status")
        if kind is not WORKFLOW or not isinstance(status, dict) or not status.get("offloadNodeStatusVersion"):
            return item
        nodes = self._nodes(str(item["metadata"].get("name", "")))
        if not nodes:
            return item
        inline = {name: value for name, value in status.items() if name != "offloadNodeStatusVersion"}
        return {**item, "status": {**inline, "nodes": nodes}}

    def _nodes(self, name: str) -> Object:
        """The nodes that the server knows; none where it does not answer."""
        place = f"workflows/{quote(self.namespace, safe='')}/{quote(name, safe='')}"
        nodes = (_asked(self.url, place).get("status") or {}).get("nodes")
        return nodes if isinstance(nodes, dict) else {}


def server_version(url: str) -> str | None:
    """The version of Argo Server at `url`, such as `v4.1.2`; None where it does not tell."""
    told = _asked(url, "version").get("version")
    return told if isinstance(told, str) else None


def _asked(url: str, place: str) -> Object:
    """What Argo Server answers; empty where it does not."""
    import urllib3

    token = os.environ.get(TOKEN_VARIABLE, "")
    headers = {"Accept": "application/json", **({"Authorization": token} if token else {})}
    try:
        with urllib3.request(
            "GET",
            f"{url}/api/v1/{place}",
            headers=headers,
            timeout=TIMEOUT,
            retries=False,
            redirect=False,
            preload_content=False,
        ) as answer:
            value = json.loads(answer.read(LARGEST)) if answer.status == 200 else {}
    except (urllib3.exceptions.HTTPError, OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}
