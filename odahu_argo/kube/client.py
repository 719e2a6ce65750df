"""The `Cluster` protocol on a Kubernetes API server, with JSON bodies instead of the `kubernetes` package's models.

https://kubernetes.io/docs/reference/using-api/api-concepts/
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from urllib.parse import quote

from odahu_argo.errors import Expired, NotFound
from odahu_argo.kube.argo_server import ArgoServer
from odahu_argo.kube.cluster import POD, WORKFLOW, Kind, Listing, Object, OnOpen, T, WatchEvent
from odahu_argo.kube.config import ClusterConfig, load_config
from odahu_argo.kube.connection import CONNECT_SECONDS, READ_SECONDS, ApiConnection, KubeRequest, read_object
from odahu_argo.kube.errors import Action, from_status, not_kubernetes

WATCH_SECONDS = 60
"""Duration of one watch request. A dead connection is noticed after at most this time."""
LOG_READ_SECONDS = 600.0
"""How long a followed log may be silent."""
PAGE_SIZE = 250
"""Objects per list response. 250 workflows take about 30 MiB as Python objects."""
FIELD_MANAGER = "odahu-argo"


def connect(namespace: str | None = None, context: str | None = None) -> KubeCluster:
    """Return the cluster of a kubeconfig context, by default the current one, or else of the pod's service account.

    The namespace defaults to the context's. No request is sent.

    Raises:
        UserError: no kubeconfig exists, it is invalid, or it lacks the context.
        Forbidden: the context's credential plug-in fails.
    """
    config = load_config(context)
    return KubeCluster(config, namespace or config.namespace)


class KubeCluster:
    """One namespace of a cluster, safe to use from several threads.

    Reads and patches are retried after connection failures and 5xx responses, and every request after 429. A failed
    creation, replacement or deletion is not retried: the caller must find out whether it took effect.

    With `argo_server`, workflows get the nodes that Argo's controller has offloaded.
    """

    def __init__(self, config: ClusterConfig, namespace: str) -> None:
        self._namespace = namespace
        self._connection = ApiConnection(config)
        self.argo_server: ArgoServer | None = None

    @property
    def server(self) -> str:
        """Return the URL of the API server."""
        return self._connection.server

    @property
    def namespace(self) -> str:
        """See `Cluster.namespace`."""
        return self._namespace

    def get(self, kind: Kind, name: str) -> Object:
        """See `Cluster.get`."""
        return self._with_nodes(kind, self._send(self._request("GET", "get", kind, name)))

    def list(
        self, kind: Kind, labels: Mapping[str, str] | None = None, fields: Mapping[str, str] | None = None
    ) -> Listing[Object]:
        """See `Cluster.list`."""
        return self.gather(kind, lambda item: item, labels, fields)

    def gather(
        self,
        kind: Kind,
        keep: Callable[[Object], T],
        labels: Mapping[str, str] | None = None,
        fields: Mapping[str, str] | None = None,
    ) -> Listing[T]:
        """See `Cluster.gather`. If a page token expires, everything is listed again in one response."""
        query = {**_selectors(labels, fields), "limit": str(PAGE_SIZE)}
        kept: list[T] = []
        while True:
            request = self._request("GET", "list", kind, query=query)
            try:
                response = self._connection.send(request)
            except Expired:
                if "limit" not in query:
                    raise
                query, kept = _selectors(labels, fields), []
                continue
            page = read_object(request, response, self.server)
            kept += (keep(self._with_nodes(kind, _typed(kind, item))) for item in page.get("items") or [])
            metadata = page.get("metadata") or {}
            if not metadata.get("continue"):
                return Listing(tuple(kept), str(metadata.get("resourceVersion", "")))
            query = {**query, "continue": metadata["continue"]}

    def create(self, kind: Kind, body: Object, dry_run: bool = False) -> Object:
        """See `Cluster.create`."""
        action = Action("create", kind, self._namespace, _name(body))
        return self._send(KubeRequest(action, "POST", self._path(kind), _write_options(dry_run), _typed(kind, body)))

    def replace(self, kind: Kind, body: Object) -> Object:
        """See `Cluster.replace`."""
        request = self._request("PUT", "update", kind, _name(body), _write_options(), _typed(kind, body))
        return self._send(request)

    def patch(self, kind: Kind, name: str, change: Object) -> Object:
        """See `Cluster.patch`."""
        content_type = "application/merge-patch+json"
        return self._send(self._request("PATCH", "patch", kind, name, _write_options(), change, content_type))

    def apply(self, kind: Kind, body: Object, dry_run: bool = False) -> Object:
        """See `Cluster.apply`."""
        options = {**_write_options(dry_run), "force": "true"}
        content_type = "application/apply-patch+yaml"
        return self._send(self._request("PATCH", "patch", kind, _name(body), options, _typed(kind, body), content_type))

    def delete(self, kind: Kind, name: str, uid: str | None = None) -> None:
        """See `Cluster.delete`."""
        options: Object = {"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": "Background"}
        if uid is not None:
            options["preconditions"] = {"uid": uid}
        self._send(self._request("DELETE", "delete", kind, name, body=options))

    def watch(
        self,
        kind: Kind,
        labels: Mapping[str, str] | None,
        resource_version: str,
        seconds: float | None = None,
        on_open: OnOpen | None = None,
    ) -> Iterator[WatchEvent]:
        """See `Cluster.watch`. The default limit is about a minute."""
        longest = WATCH_SECONDS * random.uniform(1, 1.2)
        limit = max(1, round(longest if seconds is None else min(seconds, longest)))
        query = {
            **_selectors(labels),
            "watch": "true",
            "allowWatchBookmarks": "true",
            "resourceVersion": resource_version,
            "timeoutSeconds": str(limit),
        }
        request = self._request("GET", "watch", kind, query=query)
        with closing(self._connection.lines(request, limit + CONNECT_SECONDS, on_open)) as lines:
            for line in lines:
                try:
                    event = json.loads(line)
                    event_type, item = event["type"], event["object"]
                except (ValueError, TypeError, KeyError):
                    raise not_kubernetes(request.action, self.server) from None
                if event_type == "ERROR":
                    raise from_status(request.action, self.server, item)
                if event_type in ("ADDED", "MODIFIED", "DELETED", "BOOKMARK"):
                    yield WatchEvent(event_type.lower(), self._with_nodes(kind, item))

    def pod_log(self, pod: str, container: str, follow: bool = False, on_open: OnOpen | None = None) -> Iterator[str]:
        """See `Cluster.pod_log`."""
        action = Action("get", POD, self._namespace, pod, "log")
        query = {"container": container, **({"follow": "true"} if follow else {})}
        request = KubeRequest(action, "GET", f"{self._path(POD, pod)}/log", query)
        seconds = LOG_READ_SECONDS if follow else READ_SECONDS
        with closing(self._connection.lines(request, seconds, on_open)) as lines:
            for line in lines:
                yield line.decode("utf-8", "replace")

    def _with_nodes(self, kind: Kind, item: Object) -> Object:
        return self.argo_server.with_nodes(item) if self.argo_server and kind is WORKFLOW else item

    def _send(self, request: KubeRequest) -> Object:
        return read_object(request, self._connection.send(request), self.server)

    def _request(
        self,
        method: str,
        verb: str,
        kind: Kind,
        name: str | None = None,
        query: Mapping[str, str] | None = None,
        body: Object | None = None,
        content_type: str = "application/json",
    ) -> KubeRequest:
        action = Action(verb, kind, self._namespace, name or "")
        return KubeRequest(action, method, self._path(kind, name), query or {}, body, content_type)

    def _path(self, kind: Kind, name: str | None = None) -> str:
        root = f"/apis/{kind.group}/{kind.version}" if kind.group else f"/api/{kind.version}"
        namespace = f"/namespaces/{quote(self._namespace, safe='')}" if kind.namespaced else ""
        collection = f"{root}{namespace}/{kind.plural}"
        if name is None:
            return collection
        if name in ("", ".", ".."):
            raise NotFound(f"{kind.name} {name!r} does not exist")
        return f"{collection}/{quote(name, safe='')}"


def _selectors(labels: Mapping[str, str] | None, fields: Mapping[str, str] | None = None) -> dict[str, str]:
    query = {}
    if labels:
        query["labelSelector"] = ",".join(f"{name}={value}" if value else name for name, value in labels.items())
    if fields:
        query["fieldSelector"] = ",".join(f"{name}={value}" for name, value in fields.items())
    return query


def _write_options(dry_run: bool = False) -> dict[str, str]:
    options = {"fieldManager": FIELD_MANAGER, "fieldValidation": "Strict"}
    return {**options, "dryRun": "All"} if dry_run else options


def _typed(kind: Kind, body: Object) -> Object:
    return {"apiVersion": kind.api_version, "kind": kind.name, **body}


def _name(body: Object) -> str:
    return str((body.get("metadata") or {}).get("name", ""))
