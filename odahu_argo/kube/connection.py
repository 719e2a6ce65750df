"""HTTP connections to a Kubernetes API server: credentials, retries and streamed responses."""

from __future__ import annotations

import itertools
import json
import threading
import time
from collections.abc import Generator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from urllib3 import BaseHTTPResponse, HTTPHeaderDict, PoolManager, Timeout
from urllib3.exceptions import HTTPError

from odahu_argo.backoff import delays
from odahu_argo.errors import Unreachable
from odahu_argo.kube.cluster import Object, OnOpen
from odahu_argo.kube.config import ClusterConfig
from odahu_argo.kube.errors import Action, from_failure, from_response, not_kubernetes

CONNECT_SECONDS, READ_SECONDS = 10.0, 30.0
MAX_RETRIES = 3
MAX_RETRY_SECONDS = 15.0
"""No retry starts later than this after the first try."""
_USER_AGENT = "odahu-argo"


@dataclass(frozen=True, slots=True)
class KubeRequest:
    """A request to the API. `action` describes it in error messages."""

    action: Action
    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    body: Object | None = None
    content_type: str = "application/json"


class ApiConnection:
    """Connections to one API server, safe to use from several threads.

    Credentials are loaded again when they expire, and once per request if the server rejects them (401).
    """

    def __init__(self, config: ClusterConfig) -> None:
        self.server = config.server
        self._config = config
        self._pool = config.connection_pool()
        self._lock = threading.Lock()

    def lines(
        self, request: KubeRequest, read_seconds: float, on_open: OnOpen | None = None
    ) -> Generator[bytes, None, None]:
        """Send a request and yield the lines of the response as they arrive. The connection closes with the iterator.

        `read_seconds` is the longest time without data.

        Raises:
            OdahuArgoError: see `errors.from_status` and `errors.from_failure`.
        """
        with closing(self.send(request, read_seconds, stream=True)) as response:
            rest = b""
            if on_open:
                on_open(response.shutdown)
            try:
                for chunk in response.stream():
                    *lines, rest = (rest + chunk).split(b"\n")
                    yield from lines
            except (HTTPError, OSError) as error:
                raise from_failure(request.action, self.server, error) from error
            if rest:
                yield rest

    def send(self, request: KubeRequest, read_seconds: float = READ_SECONDS, stream: bool = False) -> BaseHTTPResponse:
        """Return a successful response, after retries if the request may be repeated.

        Raises:
            OdahuArgoError: see `errors.from_status` and `errors.from_failure`.
        """
        deadline = time.monotonic() + MAX_RETRY_SECONDS
        waits = itertools.islice(delays(0.3, 5), MAX_RETRIES)
        may_renew = True
        while True:
            is_repeatable, retry_after = request.method in ("GET", "PATCH") and not stream, 0.0
            config, pool, authorization = self._credentials()
            options = _request_options(request, config, authorization, read_seconds, stream)
            try:
                response: BaseHTTPResponse = pool.request(request.method, _url(request, config), **options)
                if response.status < 300:
                    return response
                if response.status == 401 and may_renew and self._renew(config, authorization):
                    may_renew = False
                    response.close()
                    continue
                error = from_response(request.action, self.server, response.status, response.data)
                is_repeatable |= response.status == 429
                retry_after = _retry_after(response)
                response.close()
            except (HTTPError, OSError) as failure:
                error = from_failure(request.action, self.server, failure)
            wait = next(waits, None)
            if wait is None or not is_repeatable or not isinstance(error, Unreachable):
                raise error
            delay = max(wait, retry_after)
            if time.monotonic() + delay > deadline:
                raise error
            time.sleep(delay)

    def _credentials(self) -> tuple[ClusterConfig, PoolManager, str | None]:
        with self._lock:
            if self._config.is_expired:
                self._reload()
            return self._config, self._pool, self._config.authorization()

    def _renew(self, rejected: ClusterConfig, authorization: str | None) -> bool:
        """Load the credentials again, unless another thread has. Return whether they differ from the rejected ones."""
        with self._lock:
            if self._config is rejected:
                self._reload()
            renewed = (self._config.authorization(), self._config.certificate)
            return renewed != (authorization, rejected.certificate)

    def _reload(self) -> None:
        self._config = self._config.reload()
        self._pool = self._config.connection_pool()


def read_object(request: KubeRequest, response: BaseHTTPResponse, server: str) -> Object:
    """Return the object in a response. UserError if the server is not a Kubernetes API server."""
    try:
        content = json.loads(response.data)
    except ValueError:
        content = None
    if not isinstance(content, dict):
        raise not_kubernetes(request.action, server)
    return content


def _url(request: KubeRequest, config: ClusterConfig) -> str:
    return f"{config.server}{request.path}" + (f"?{urlencode(request.query)}" if request.query else "")


def _request_options(
    request: KubeRequest, config: ClusterConfig, authorization: str | None, read_seconds: float, stream: bool
) -> dict[str, Any]:
    """Return arguments of `PoolManager.request`."""
    headers = HTTPHeaderDict({"Accept": "application/json", "User-Agent": _USER_AGENT})
    headers.extend(config.impersonation)
    if authorization:
        headers["Authorization"] = authorization
    if request.body is not None:
        headers["Content-Type"] = request.content_type
    if not stream:
        headers["Accept-Encoding"] = "gzip"
    return {
        "body": None if request.body is None else json.dumps(request.body).encode(),
        "headers": headers,
        "timeout": Timeout(connect=CONNECT_SECONDS, read=read_seconds),
        "retries": False,
        "redirect": False,
        "preload_content": not stream,
    }


def _retry_after(response: BaseHTTPResponse) -> float:
    """Return the `Retry-After` header in seconds. Kubernetes sends no dates."""
    value = response.headers.get("Retry-After", "")
    return float(value) if value.isdigit() else 0.0
