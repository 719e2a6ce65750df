"""HTTP sessions for the ODAHU API, MLflow and Argo Server, with timeouts, retries and limits in one place."""

from __future__ import annotations

import ipaddress
import os
import socket
import ssl
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from requests.utils import get_environ_proxies
from urllib3 import Retry

CONNECT_SECONDS = 10.0
READ_SECONDS = 30.0
MAX_BODY_BYTES = 64 * 2**20
RETRIED_STATUSES = (429, 500, 502, 503, 504)
_CHUNK_BYTES = 2**16


class BodyTooLarge(requests.RequestException):
    """The response body exceeds the limit."""


class HttpSession(requests.Session):
    """A `requests` session for one server. Set `session.headers` for credentials; `.netrc` is ignored.

    Responses are streamed: read them with `read_body` or `read_lines`, and close them. Redirects are returned, not
    followed, so that credentials never reach another host. GET and HEAD requests are retried after connection failures,
    timeouts, 429 and 5xx, and `Retry-After` is honoured up to 10 seconds. Other methods are sent once.

    The environment configures proxies (`HTTPS_PROXY`, `NO_PROXY`) and trusted certificates (`SSL_CERT_FILE`,
    `REQUESTS_CA_BUNDLE`, else the system's). Loopback addresses are reached without a proxy.
    """

    def __init__(self, url: str, retries: int = 2, read_seconds: float = READ_SECONDS, ca_file: str | None = None):
        super().__init__()
        self.trust_env = False
        self.proxies = {} if is_loopback(urlsplit(url).hostname or "") else get_environ_proxies(url)
        self.verify = ca_file or _trusted_certificates()
        self._timeout = (CONNECT_SECONDS, read_seconds)
        policy = Retry(
            total=retries,
            redirect=0,
            allowed_methods=("GET", "HEAD"),
            status_forcelist=RETRIED_STATUSES,
            backoff_factor=0.3,
            backoff_max=2,
            backoff_jitter=0.3,
            retry_after_max=10,
            raise_on_status=False,
            raise_on_redirect=False,
        )
        for prefix in ("http://", "https://"):
            self.mount(prefix, HTTPAdapter(max_retries=policy))

    def request(self, method: str, url: str | bytes, *args: Any, **kwargs: Any) -> requests.Response:
        """Send a request. `timeout` overrides the session's (connect, read) timeouts in seconds.

        Raises:
            requests.RequestException: no response. `describe_failure` explains it.
        """
        fixed = {"allow_redirects": False, "stream": True}
        return super().request(method, url, *args, **{"timeout": self._timeout, **kwargs, **fixed})


def read_body(response: requests.Response, limit: int = MAX_BODY_BYTES) -> bytes:
    """Return the decoded body and release the connection.

    Raises:
        BodyTooLarge: the body is longer than `limit` bytes.
        requests.RequestException: the connection broke while reading.
    """
    body = bytearray()
    with response:
        for chunk in response.iter_content(_CHUNK_BYTES):
            body += chunk
            if len(body) > limit:
                raise BodyTooLarge(f"the response body exceeds {limit} bytes", response=response)
    return bytes(body)


def read_lines(response: requests.Response) -> Iterator[str]:
    """Yield the lines of a text as they arrive, without line breaks; close the response at the end.

    Raises:
        requests.RequestException: the connection broke while reading.
    """
    rest = b""
    with response:
        for chunk in response.iter_content(_CHUNK_BYTES):
            *lines, rest = (rest + chunk).split(b"\n")
            yield from (line.decode("utf-8", "replace") for line in lines)
        if rest:
            yield rest.decode("utf-8", "replace")


def is_loopback(host: str) -> bool:
    """Return whether the host name or address is this machine's loopback interface."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def is_tls_error(error: BaseException) -> bool:
    """Return whether TLS is the reason for a failed connection."""
    return any(isinstance(cause, ssl.SSLError) for cause in _causes(error))


def describe_failure(error: BaseException) -> str:
    """Return why a connection failed, such as `connection refused`. The text contains no URL and no credentials."""
    causes = list(_causes(error))
    names = {type(cause).__name__ for cause in causes}
    if any(isinstance(cause, ConnectionRefusedError) for cause in causes):
        return "connection refused"
    if any(isinstance(cause, socket.gaierror) for cause in causes) or "NameResolutionError" in names:
        return "unknown host name"
    if any(isinstance(cause, TimeoutError) for cause in causes) or names & {"ReadTimeoutError", "ConnectTimeoutError"}:
        return "timed out"
    return f"connection failed ({type(error).__name__})"


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield the error and all errors it wraps: causes, contexts, arguments, and urllib3's `reason`."""
    seen: set[int] = set()
    pending: list[object] = [error]
    while pending:
        candidate = pending.pop()
        if isinstance(candidate, BaseException) and id(candidate) not in seen:
            seen.add(id(candidate))
            yield candidate
            pending += [getattr(candidate, "reason", None), candidate.__cause__, candidate.__context__, *candidate.args]


def _trusted_certificates() -> str | bool:
    """Return the file or directory of trusted certificates, or True for the bundle of `certifi`."""
    for name in ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        if bundle := os.environ.get(name):
            return bundle
    system = ssl.get_default_verify_paths()
    return system.cafile or system.capath or True
