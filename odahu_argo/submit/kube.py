"""The Kubernetes API behind the `Cluster` protocol, by the official client's connection, credentials and certificates.

The client's generated classes are left aside: they read objects strictly, and a status must be read whatever it holds.
"""

from __future__ import annotations

import json
import random
import time
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

from odahu_argo.errors import OdahuArgoError, UserError
from odahu_argo.submit.cluster import (
    AlreadyExists,
    Conflict,
    Denied,
    Event,
    Expired,
    Kind,
    Listing,
    NotFound,
    Object,
    Refused,
    Unreachable,
)

if TYPE_CHECKING:
    from kubernetes.client import ApiClient, Configuration
    from urllib3 import BaseHTTPResponse

MANAGER = "odahu-argo"
PAGE = 500
CONNECT_TIMEOUT, READ_TIMEOUT = 10, 60
WATCH_SECONDS = 240
"""Seconds after which the API is asked to end a watch; the next one goes on where it ended."""
TRIES = 4
FIRST_WAIT = 0.3
"""Seconds, doubled each time, for requests that change nothing or can be repeated without harm."""


def connect(namespace: str | None = None, context: str | None = None) -> KubeCluster:
    """The cluster of `KUBECONFIG` or `~/.kube/config`, else, in a pod, the one that it runs on. Nothing is sent yet.

    The namespace is the one given, else that of the context or pod, else `default`.

    Raises:
        UserError: there is no kubeconfig, it cannot be read, or it has no such context.
    """
    from kubernetes import client, config
    from kubernetes.config.config_exception import ConfigException

    settings = client.Configuration()
    try:
        config.load_kube_config(context=context, client_configuration=settings)
        place = _context_namespace(context)
    except ConfigException as error:
        if context is not None:
            raise UserError(
                f"the kubeconfig cannot be used: {error}", "kubectl config get-contexts lists them"
            ) from error
        place = _in_cluster(settings, error)
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise UserError(f"the kubeconfig cannot be read: {error}", "see that kubectl works with it") from error
    settings.retries = False
    settings.connection_pool_maxsize = 32
    return KubeCluster(client.ApiClient(settings), namespace or place or "default")


def _context_namespace(context: str | None) -> str:
    from kubernetes import config

    contexts, current = config.list_kube_config_contexts()
    chosen = current if context is None else next((each for each in contexts if each["name"] == context), None)
    return str(((chosen or {}).get("context") or {}).get("namespace") or "")


def _in_cluster(settings: Configuration, error: Exception) -> str:
    from pathlib import Path

    from kubernetes import config
    from kubernetes.config.config_exception import ConfigException

    try:
        config.load_incluster_config(client_configuration=settings)
    except ConfigException:
        hint = "set KUBECONFIG, or see that ~/.kube/config is there and kubectl works with it"
        raise UserError(f"no cluster is known: {error}", hint) from error
    try:
        return Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace").read_text(encoding="utf-8").strip()
    except OSError:
        return ""


class KubeCluster:
    """A real cluster. Its methods may be called from several threads."""

    def __init__(self, api: ApiClient, namespace: str) -> None:
        self._api = api
        self._namespace = namespace

    @property
    def namespace(self) -> str:
        """The namespace that all methods work in."""
        return self._namespace

    def get(self, kind: Kind, name: str) -> Object:
        """The object; NotFound where there is none."""
        return self._json("GET", self._path(kind, name), f"get {kind.name} {name}")

    def list(self, kind: Kind, labels: Mapping[str, str] | None = None) -> Listing:
        """Every object with these labels, fetched in pages."""
        items: list[Object] = []
        query: dict[str, Any] = {"limit": PAGE, **_selector(labels)}
        while True:
            page = self._json("GET", self._path(kind), f"list {kind.plural}", query)
            items += ({"apiVersion": kind.api_version, "kind": kind.name, **each} for each in page.get("items") or [])
            metadata = page.get("metadata") or {}
            if not metadata.get("continue"):
                return Listing(items, str(metadata.get("resourceVersion", "")))
            query["continue"] = metadata["continue"]

    def create(self, kind: Kind, body: Object, dry_run: bool = False) -> Object:
        """Create it with fields checked strictly; with `dry_run` only see whether the API would. AlreadyExists, Refused."""
        query = {"fieldValidation": "Strict", "fieldManager": MANAGER, **({"dryRun": "All"} if dry_run else {})}
        name = f"create {kind.name} {body.get('metadata', {}).get('name', '')}".rstrip()
        return self._json("POST", self._path(kind), name, query, body)

    def replace(self, kind: Kind, body: Object) -> Object:
        """Put it in place of the object of its name; Conflict where its `resourceVersion` is no longer the newest."""
        name = body["metadata"]["name"]
        query = {"fieldValidation": "Strict", "fieldManager": MANAGER}
        return self._json("PUT", self._path(kind, name), f"replace {kind.name} {name}", query, body)

    def patch(self, kind: Kind, name: str, change: Object) -> Object:
        """Merge the change into it (RFC 7386). NotFound, Refused."""
        query = {"fieldManager": MANAGER}
        path = self._path(kind, name)
        return self._json("PATCH", path, f"change {kind.name} {name}", query, change, "application/merge-patch+json")

    def apply(self, kind: Kind, body: Object, dry_run: bool = False) -> Object:
        """Server-side apply by the field manager `odahu-argo`: create it or bring it up to date. Refused, Conflict."""
        name = body["metadata"]["name"]
        query = {"fieldManager": MANAGER, "fieldValidation": "Strict", "force": "true"}
        query |= {"dryRun": "All"} if dry_run else {}
        path = self._path(kind, name)
        return self._json("PATCH", path, f"apply {kind.name} {name}", query, body, "application/apply-patch+yaml")

    def delete(self, kind: Kind, name: str, uid: str | None = None) -> None:
        """Delete it and, in the background, what it owns. NotFound; Conflict where it is not the one of that `uid`."""
        options: Object = {"propagationPolicy": "Background"}
        if uid is not None:
            options["preconditions"] = {"uid": uid}
        self._json("DELETE", self._path(kind, name), f"delete {kind.name} {name}", {}, options)

    def watch(self, kind: Kind, labels: Mapping[str, str] | None, resource_version: str) -> Iterator[Event]:
        """Changes after that version, until the API ends the stream. Expired, Unreachable."""
        query = {
            "watch": "true",
            "allowWatchBookmarks": "true",
            "resourceVersion": resource_version,
            "timeoutSeconds": WATCH_SECONDS,
            **_selector(labels),
        }
        for line in self._lines(self._path(kind), f"watch {kind.plural}", query, WATCH_SECONDS + READ_TIMEOUT):
            event = _parsed(line)
            kind_of_event = str(event.get("type", "")).lower()
            thing = event.get("object") or {}
            if kind_of_event == "error":
                raise _answer(int(thing.get("code") or 500), thing, f"watch {kind.plural}", self._address)
            if kind_of_event in ("added", "modified", "deleted", "bookmark"):
                yield Event(kind_of_event, thing)  # type: ignore[arg-type]

    def pod_log(self, pod: str, container: str, follow: bool = False) -> Iterator[str]:
        """The lines that a container has printed, without line breaks. NotFound; Refused while it has not started."""
        from odahu_argo.submit.cluster import POD

        query = {"container": container, **({"follow": "true"} if follow else {})}
        path = f"{self._path(POD, pod)}/log"
        for line in self._lines(path, f"read the log of pod {pod}", query, None if follow else READ_TIMEOUT):
            yield line.decode("utf-8", "replace")

    @property
    def _address(self) -> str:
        return str(urlsplit(self._api.configuration.host).netloc)

    def _path(self, kind: Kind, name: str = "") -> str:
        group = f"/apis/{kind.group}/{kind.version}" if kind.group else f"/api/{kind.version}"
        place = f"/namespaces/{quote(self._namespace, safe='')}" if kind.namespaced else ""
        return f"{group}{place}/{kind.plural}" + (f"/{quote(name, safe='')}" if name else "")

    def _json(
        self,
        method: str,
        path: str,
        what: str,
        query: Mapping[str, Any] | None = None,
        body: Object | None = None,
        content_type: str = "application/json",
    ) -> Object:
        """One request and its answer. What can be repeated without harm is, after a fault, a few times."""
        for attempt in range(1, TRIES + 1):
            try:
                with self._send(method, path, what, query, body, content_type, READ_TIMEOUT) as response:
                    return _parsed(self._read(response, what))
            except Unreachable:
                if method == "POST" or attempt == TRIES:
                    raise
                time.sleep(FIRST_WAIT * 2**attempt * random.uniform(0.5, 1))
        raise AssertionError

    def _lines(self, path: str, what: str, query: Mapping[str, Any], read_timeout: float | None) -> Iterator[bytes]:
        with self._send("GET", path, what, query, None, "", read_timeout) as response:
            rest = b""
            while part := self._part(response, what):
                *whole, rest = (rest + part).split(b"\n")
                yield from whole
            if rest:
                yield rest

    def _part(self, response: BaseHTTPResponse, what: str) -> bytes:
        """What has come since; empty at the end of the stream."""
        from urllib3.exceptions import HTTPError

        try:
            return response.read1(2**16)
        except (HTTPError, OSError) as error:
            raise self._unreachable(error, what) from error

    def _read(self, response: BaseHTTPResponse, what: str) -> bytes:
        from urllib3.exceptions import HTTPError

        try:
            return response.read()
        except (HTTPError, OSError) as error:
            raise self._unreachable(error, what) from error

    def _send(
        self,
        method: str,
        path: str,
        what: str,
        query: Mapping[str, Any] | None,
        body: Object | None,
        content_type: str,
        read_timeout: float | None,
    ) -> BaseHTTPResponse:
        """The answer, not read yet; an answer that is an error is raised."""
        import urllib3
        from kubernetes.config.config_exception import ConfigException

        headers = {"Accept": "application/json", **({"Content-Type": content_type} if body is not None else {})}
        try:
            _, url, sent, _, _ = self._api.param_serialize(
                method,
                path,
                query_params=list((query or {}).items()),
                header_params=headers,
                auth_settings=["BearerToken"],
            )
            response = self._api.rest_client.pool_manager.request(
                method,
                url,
                body=None if body is None else json.dumps(body).encode(),
                headers=sent,
                timeout=urllib3.Timeout(connect=CONNECT_TIMEOUT, read=read_timeout),
                preload_content=False,
            )
        except (urllib3.exceptions.HTTPError, OSError, ConfigException) as error:
            raise self._unreachable(error, what) from error
        if response.status < 300:
            return response
        with response:
            raise _answer(response.status, _parsed(self._read(response, what)), what, self._address)

    def _unreachable(self, error: Exception, what: str) -> Unreachable:
        cause = str(error).partition("): ")[2] or str(error)
        return Unreachable(
            f"the Kubernetes API at {self._address} did not answer ({what}): {cause}",
            hint="see that the cluster is up, that this machine reaches it, and that the kubeconfig is the right one",
        )


def _selector(labels: Mapping[str, str] | None) -> dict[str, str]:
    if not labels:
        return {}
    return {"labelSelector": ",".join(f"{name}={value}" if value else name for name, value in labels.items())}


def _parsed(data: bytes) -> Object:
    """The JSON object that the data holds; an answer that is none, as of a proxy on the way, becomes its own message."""
    try:
        value = json.loads(data) if data else {}
    except ValueError:
        value = None
    return value if isinstance(value, dict) else {"message": data[:300].decode("utf-8", "replace").strip()}


def _of_missing_kind(message: str) -> str | None:
    return "odahu-argo doctor shows whether Argo is installed" if "could not find" in message else None


def _answer(code: int, status: Object, what: str, address: str) -> OdahuArgoError:
    """The API's answer as the error that it is (https://kubernetes.io/docs/reference/using-api/api-concepts/)."""
    message = str(status.get("message") or f"status {code}")
    reason = str(status.get("reason") or "")
    if code in (401, 403):
        hint = "log in anew, or ask for the right; odahu-argo doctor shows which are missing"
        return Denied(f"the Kubernetes API at {address} does not let you {what}: {message}", hint)
    if code == 404:
        return NotFound(f"cannot {what}: {message}", _of_missing_kind(message))
    if code == 409:
        kind = AlreadyExists if reason == "AlreadyExists" else Conflict
        return kind(f"cannot {what}: {message}")
    if code == 410:
        return Expired(f"cannot {what}: {message}")
    if code == 429 or code >= 500:
        return Unreachable(f"the Kubernetes API at {address} is not well ({what}): {message}", "try again in a while")
    return Refused(f"the Kubernetes API refuses to {what}: {message}")
