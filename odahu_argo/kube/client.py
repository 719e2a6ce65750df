"""The Cluster protocol on a real Kubernetes API.

Paths and parameters are those of https://kubernetes.io/docs/reference/using-api/api-concepts/
"""

from __future__ import annotations

import itertools
import json
import random
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote, urlencode

from odahu_argo.backoff import pauses
from odahu_argo.errors import Expired, NotFound, Unreachable, UserError
from odahu_argo.kube.access import Access
from odahu_argo.kube.cluster import POD, Kind, Listing, Object, T, WatchEvent
from odahu_argo.kube.errors import Action, from_answer, from_silence, from_status, not_kubernetes
from odahu_argo.kube.kubeconfig import find_access
from odahu_argo.kube.proxy import proxy_for

if TYPE_CHECKING:
    from urllib3 import BaseHTTPResponse, PoolManager


CONNECT_SECONDS, READ_SECONDS = 10.0, 30.0
TRIES, PATIENCE = 4, 15.0
"""A request that may be repeated is sent at most so often, and not again after so many seconds."""
CONNECTIONS = 16
"""How many are kept open."""
_AGENT = "odahu-argo"


@dataclass(frozen=True, slots=True)
class Request:
    """One request. `is_stream`: its answer is read as it comes. `read_seconds`: how long the API may be silent."""

    action: Action
    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    body: Object | None = None
    content_type: str = "application/json"
    is_stream: bool = False
    read_seconds: float = READ_SECONDS

    def may_be_repeated(self, code: int | None) -> bool:
        """Whether a second time does no harm."""
        return code == 429 or (self.method in ("GET", "PATCH") and not self.is_stream)


class Transport:
    """The way to one API server. May be used by several threads at once."""

    def __init__(self, access: Access):
        self._access = access
        self._connections = _connections(access)
        self.server = access.server

    def object(self, request: Request) -> Object:
        """The object that the API answers with."""
        answer = self._send(request)
        try:
            content = json.loads(answer.data)
        except ValueError:
            content = None
        if not isinstance(content, dict):
            raise not_kubernetes(request.action, self.server)
        return content

    def lines(self, request: Request) -> Generator[bytes, None, None]:
        """The lines of an answer as they come. The connection is closed with the iterator."""
        from urllib3.exceptions import HTTPError

        answer = self._send(request)
        try:
            rest = b""
            for chunk in answer.stream():
                *lines, rest = (rest + chunk).split(b"\n")
                yield from lines
            if rest:
                yield rest
        except (HTTPError, OSError) as error:
            raise from_silence(request.action, self.server, error) from error
        finally:
            answer.close()

    def _send(self, request: Request) -> BaseHTTPResponse:
        """The API's answer, a success."""
        from urllib3.exceptions import HTTPError

        until = time.monotonic() + PATIENCE
        waits = itertools.chain(itertools.islice(pauses(0.3, 5), TRIES - 1), [None])
        is_renewed = False
        while True:
            wait, asked, code = next(waits), 0.0, None
            headers = self._access.headers()
            try:
                answer = self._once(request, headers)
                if answer.status == 401 and not is_renewed and self._access.credentials.renew(headers):
                    is_renewed = True
                    answer.close()
                    answer = self._once(request, self._access.headers())
                if answer.status < 300:
                    return answer
                failure, code = from_answer(request.action, self.server, answer.status, answer.data), answer.status
                asked = _retry_after(answer)
                answer.close()
            except (HTTPError, OSError) as error:
                failure = from_silence(request.action, self.server, error)
            if wait is None or not isinstance(failure, Unreachable) or not request.may_be_repeated(code):
                raise failure
            wait = max(wait, asked)
            if time.monotonic() + wait > until:
                raise failure
            time.sleep(wait)

    def _once(self, request: Request, credentials: Mapping[str, str]) -> BaseHTTPResponse:
        from urllib3 import HTTPHeaderDict, Timeout

        headers = HTTPHeaderDict({"Accept": "application/json", "User-Agent": _AGENT, **credentials})
        headers.extend(self._access.impersonation)
        if request.body is not None:
            headers["Content-Type"] = request.content_type
        if not request.is_stream:
            headers["Accept-Encoding"] = "gzip"
        query = f"?{urlencode(request.query)}" if request.query else ""
        answer: BaseHTTPResponse = self._connections.request(
            request.method,
            f"{self.server}{request.path}{query}",
            body=None if request.body is None else json.dumps(request.body).encode(),
            headers=headers,
            timeout=Timeout(connect=CONNECT_SECONDS, read=request.read_seconds),
            retries=False,
            redirect=False,
            preload_content=not request.is_stream,
        )
        return answer


def _connections(access: Access) -> PoolManager:
    """By the kubeconfig's proxy, else by the one that the environment names for the server."""
    import urllib3

    options: dict[str, Any] = {"maxsize": CONNECTIONS}
    if access.trust is not None:
        options |= {"ssl_context": access.trust, "cert_reqs": access.trust.verify_mode}
        if not access.trust.check_hostname:
            urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
    if access.server_name:
        options["server_hostname"] = access.server_name
    proxy = access.proxy or proxy_for(access.server)
    if not proxy:
        return urllib3.PoolManager(**options)
    if proxy.startswith("socks"):
        return _by_socks(proxy, access.origin, options)
    account = unquote(urllib3.util.parse_url(proxy).auth or "")
    return urllib3.ProxyManager(
        proxy, proxy_headers=urllib3.make_headers(proxy_basic_auth=account) if account else None, **options
    )


def _by_socks(proxy: str, origin: str, options: Mapping[str, Any]) -> PoolManager:
    try:
        from urllib3.contrib.socks import SOCKSProxyManager
    except ImportError:
        raise UserError(f"the SOCKS proxy of {origin} cannot be used", hint="install the package PySocks") from None
    return SOCKSProxyManager(proxy, **options)


def _retry_after(answer: BaseHTTPResponse) -> float:
    """Seconds; Kubernetes sends no dates."""
    said = answer.headers.get("Retry-After", "")
    return float(said) if said.isdigit() else 0.0


FIELD_MANAGER = "odahu-argo"
WATCH_SECONDS = 60
"""About then the API ends a watch, so that a connection which has silently died is noticed soon."""
LOG_SECONDS = 600.0
"""How long a log that is followed may be silent."""
PAGE = 250
"""Objects of an answer. 250 workflows are some 30 MiB as Python's values."""
_MERGE, _APPLY = "application/merge-patch+json", "application/apply-patch+yaml"
_EVENTS: Mapping[str, Any] = {
    "ADDED": "added",
    "MODIFIED": "modified",
    "DELETED": "deleted",
    "BOOKMARK": "bookmark",
}


def connect(namespace: str | None = None, context: str | None = None) -> KubeCluster:
    """The cluster of that kubeconfig context (else the current one, else the pod's own), seen through one namespace.

    The namespace is the one given, else the context's, else `default`. Nothing is sent yet.

    Raises:
        UserError: there is no usable kubeconfig or no such context.
        Forbidden: the context's credential plug-in fails.
    """
    access = find_access(context)
    return KubeCluster(access, namespace or access.namespace)


class KubeCluster:
    """One namespace of a cluster. May be used by several threads at once.

    After a fault, requests that cannot be carried out twice are tried again: to read, to patch, and whatever the API has put
    off (429). To create, replace and delete are left to the caller, who knows what a lost answer may mean.
    """

    def __init__(self, access: Access, namespace: str):
        self._namespace = namespace
        self._transport = Transport(access)

    @property
    def server(self) -> str:
        """The API's address."""
        return self._transport.server

    @property
    def namespace(self) -> str:
        """The namespace that all methods work in."""
        return self._namespace

    def get(self, kind: Kind, name: str) -> Object:
        """See `Cluster.get`."""
        return self._transport.object(Request(self._action("get", kind, name), "GET", self._path(kind, name)))

    def list(
        self, kind: Kind, labels: Mapping[str, str] | None = None, fields: Mapping[str, str] | None = None
    ) -> Listing[Object]:
        """See `Cluster.list`."""
        return self._gathered(kind, lambda item: item, {**_selector(labels), **_field_selector(fields)})

    def gather(self, kind: Kind, keep: Callable[[Object], T], labels: Mapping[str, str] | None = None) -> Listing[T]:
        """See `Cluster.gather`."""
        return self._gathered(kind, keep, _selector(labels))

    def _gathered(self, kind: Kind, keep: Callable[[Object], T], query: Mapping[str, str]) -> Listing[T]:
        """In pages; where these expire while they are read, all is fetched at once."""
        try:
            return self._pages(kind, keep, {**query, "limit": str(PAGE)})
        except Expired:
            return self._pages(kind, keep, {**query})

    def _pages(self, kind: Kind, keep: Callable[[Object], T], query: dict[str, str]) -> Listing[T]:
        kept: list[T] = []
        while True:
            page = self._transport.object(Request(self._action("list", kind), "GET", self._path(kind), query))
            kept += (keep(_typed(kind, item)) for item in page.get("items") or [])
            metadata = page.get("metadata") or {}
            if not metadata.get("continue"):
                return Listing(tuple(kept), str(metadata.get("resourceVersion", "")))
            query["continue"] = metadata["continue"]

    def create(self, kind: Kind, body: Object, dry_run: bool = False) -> Object:
        """See `Cluster.create`."""
        request = Request(
            self._action("create", kind, _name(body)), "POST", self._path(kind), _strictly(dry_run), _typed(kind, body)
        )
        return self._transport.object(request)

    def replace(self, kind: Kind, body: Object) -> Object:
        """See `Cluster.replace`."""
        name = _name(body)
        action = self._action("update", kind, name)
        return self._transport.object(Request(action, "PUT", self._path(kind, name), _strictly(), _typed(kind, body)))

    def patch(self, kind: Kind, name: str, change: Object) -> Object:
        """See `Cluster.patch`."""
        action = self._action("patch", kind, name)
        return self._transport.object(Request(action, "PATCH", self._path(kind, name), _strictly(), change, _MERGE))

    def apply(self, kind: Kind, body: Object, dry_run: bool = False) -> Object:
        """See `Cluster.apply`."""
        name = _name(body)
        action = self._action("patch", kind, name)
        request = Request(
            action,
            "PATCH",
            self._path(kind, name),
            {**_strictly(dry_run), "force": "true"},
            _typed(kind, body),
            content_type=_APPLY,
        )
        return self._transport.object(request)

    def delete(self, kind: Kind, name: str, uid: str | None = None) -> None:
        """See `Cluster.delete`."""
        options: Object = {"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": "Background"}
        if uid is not None:
            options["preconditions"] = {"uid": uid}
        self._transport.object(
            Request(self._action("delete", kind, name), "DELETE", self._path(kind, name), body=options)
        )

    def watch(
        self, kind: Kind, labels: Mapping[str, str] | None, resource_version: str, seconds: float | None = None
    ) -> Iterator[WatchEvent]:
        """See `Cluster.watch`. Without `seconds` it lasts about a minute."""
        longest = WATCH_SECONDS * random.uniform(1, 1.2)
        limit = max(1, round(longest if seconds is None else min(seconds, longest)))
        query = {
            **_selector(labels),
            "watch": "true",
            "allowWatchBookmarks": "true",
            "resourceVersion": resource_version,
            "timeoutSeconds": str(limit),
        }
        action = self._action("watch", kind)
        request = Request(action, "GET", self._path(kind), query, is_stream=True, read_seconds=limit + CONNECT_SECONDS)
        with closing(self._transport.lines(request)) as lines:
            for line in lines:
                try:
                    event = json.loads(line)
                    change, changed = event["type"], event["object"]
                except (ValueError, TypeError, KeyError):
                    raise not_kubernetes(action, self.server) from None
                if change == "ERROR":
                    raise from_status(action, self.server, changed)
                if change in _EVENTS:
                    yield WatchEvent(_EVENTS[change], changed)

    def pod_log(self, pod: str, container: str, follow: bool = False) -> Iterator[str]:
        """See `Cluster.pod_log`."""
        action = Action("get", POD, self._namespace, pod, "log")
        query = {"container": container, **({"follow": "true"} if follow else {})}
        silence = LOG_SECONDS if follow else READ_SECONDS
        request = Request(action, "GET", f"{self._path(POD, pod)}/log", query, is_stream=True, read_seconds=silence)
        with closing(self._transport.lines(request)) as lines:
            for line in lines:
                yield line.decode("utf-8", "replace")

    def _action(self, verb: str, kind: Kind, name: str = "") -> Action:
        return Action(verb, kind, self._namespace, name)

    def _path(self, kind: Kind, name: str | None = None) -> str:
        root = f"/apis/{kind.group}/{kind.version}" if kind.group else f"/api/{kind.version}"
        space = f"/namespaces/{quote(self._namespace, safe='')}" if kind.namespaced else ""
        collection = f"{root}{space}/{kind.plural}"
        if name is None:
            return collection
        if name in ("", ".", ".."):
            raise NotFound(f"there is no {kind.name} called {name!r}")
        return f"{collection}/{quote(name, safe='')}"


def _selector(labels: Mapping[str, str] | None) -> dict[str, str]:
    if not labels:
        return {}
    return {"labelSelector": ",".join(f"{name}={value}" if value else name for name, value in labels.items())}


def _field_selector(fields: Mapping[str, str] | None) -> dict[str, str]:
    return {"fieldSelector": ",".join(f"{name}={value}" for name, value in fields.items())} if fields else {}


def _strictly(dry_run: bool = False) -> dict[str, str]:
    checks = {"fieldManager": FIELD_MANAGER, "fieldValidation": "Strict"}
    return {**checks, "dryRun": "All"} if dry_run else checks


def _typed(kind: Kind, body: Object) -> Object:
    return {"apiVersion": kind.api_version, "kind": kind.name, **body}


def _name(body: Object) -> str:
    return str((body.get("metadata") or {}).get("name", ""))
