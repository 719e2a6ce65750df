"""HTTP connections to a Kubernetes API server: credentials, retries and streamed responses."""

from __future__ import annotations

import itertools
import json
import threading
import time
from collections.abc import Generator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from urllib.parse import urlencode

from urllib3 import BaseHTTPResponse, HTTPHeaderDict, PoolManager, Timeout
from urllib3.exceptions import HTTPError

from odahu_argo.backoff import pauses
from odahu_argo.errors import Unreachable
from odahu_argo.kube.cluster import Object
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

    def json(self, request: KubeRequest) -> Object:
        """Send a request and return the object in the response.

        Raises:
            OdahuArgoError: see `errors.from_status` and `errors.from_failure`.
        """
        response = self._send(request, READ_SECONDS, stream=False)
        try:
            content = json.loads(response.data)
        except ValueError:
            content = None
        if not isinstance(content, dict):
            raise not_kubernetes(request.action, self.server)
        return content

    def lines(self, request: KubeRequest, read_seconds: float) -> Generator[bytes, None, None]:
        """Send a request and yield the lines of the response as they arrive. The connection closes with the iterator.

        `read_seconds` is the longest time without data.

        Raises:
            OdahuArgoError: see `errors.from_status` and `errors.from_failure`.
        """
        with closing(self._send(request, read_seconds, stream=True)) as response:
            rest = b""
            try:
                for chunk in response.stream():
                    *lines, rest = (rest + chunk).split(b"\n")
                    yield from lines
            except (HTTPError, OSError) as error:
                raise from_failure(request.action, self.server, error) from error
            if rest:
                yield rest

    def _send(self, request: KubeRequest, read_seconds: float, stream: bool) -> BaseHTTPResponse:
        """Return a successful response, after retries if the request may be repeated."""
        deadline = time.monotonic() + MAX_RETRY_SECONDS
        waits = itertools.islice(pauses(0.3, 5), MAX_RETRIES)
        while True:
            is_repeatable, retry_after = request.method in ("GET", "PATCH") and not stream, 0.0
            try:
                response = self._send_authorized(request, read_seconds, stream)
                if response.status < 300:
                    return response
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

    def _send_authorized(self, request: KubeRequest, read_seconds: float, stream: bool) -> BaseHTTPResponse:
        """Send a request; if the server rejects the credentials and others are available, send it once more."""
        with self._lock:
            if self._config.is_expired:
                self._reload()
            config, pool = self._config, self._pool
            authorization = config.authorization()
        response = self._send_once(pool, request, authorization, read_seconds, stream)
        if response.status != 401:
            return response
        with self._lock:
            if self._config is config:
                self._reload()
            renewed, pool = self._config.authorization(), self._pool
            is_same = (renewed, self._config.certificate) == (authorization, config.certificate)
        if is_same:
            return response
        response.close()
        return self._send_once(pool, request, renewed, read_seconds, stream)

    def _reload(self) -> None:
        self._config = self._config.reload()
        self._pool = self._config.connection_pool()

    def _send_once(
        self, pool: PoolManager, request: KubeRequest, authorization: str | None, read_seconds: float, stream: bool
    ) -> BaseHTTPResponse:
        headers = HTTPHeaderDict({"Accept": "application/json", "User-Agent": _USER_AGENT})
        headers.extend(self._config.impersonation)
        if authorization:
            headers["Authorization"] = authorization
        if request.body is not None:
            headers["Content-Type"] = request.content_type
        if not stream:
            headers["Accept-Encoding"] = "gzip"
        response: BaseHTTPResponse = pool.request(
            request.method,
            f"{self.server}{request.path}" + (f"?{urlencode(request.query)}" if request.query else ""),
            body=None if request.body is None else json.dumps(request.body).encode(),
            headers=headers,
            timeout=Timeout(connect=CONNECT_SECONDS, read=read_seconds),
            retries=False,
            redirect=False,
            preload_content=not stream,
        )
        return response


def _retry_after(response: BaseHTTPResponse) -> float:
    """Return the `Retry-After` header in seconds. Kubernetes sends no dates."""
    value = response.headers.get("Retry-After", "")
    return float(value) if value.isdigit() else 0.0
