"""Requests to the Kubernetes API over HTTP, as plain JSON: credentials, limits on waiting, second tries, faults."""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlencode

from odahu_argo.errors import UserError
from odahu_argo.submit.access import Access
from odahu_argo.submit.answers import Action, from_answer, from_silence, not_kubernetes
from odahu_argo.submit.backoff import pauses
from odahu_argo.submit.cluster import Object, Unreachable
from odahu_argo.submit.proxy import proxy_for

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
