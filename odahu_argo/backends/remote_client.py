"""Requests to an API server over HTTP: its token, limits on waiting, second tries, faults as errors."""

from __future__ import annotations

import ipaddress
import itertools
import json
import ssl
import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode, urljoin, urlsplit

from odahu_argo.backoff import pauses
from odahu_argo.errors import (
    AlreadyExists,
    Conflict,
    Forbidden,
    NotFound,
    OdahuArgoError,
    Problem,
    Rejected,
    ServiceFault,
    Unauthorized,
    Unreachable,
    UserError,
    Where,
)
from odahu_argo.http import describe_failure, is_tls_error
from odahu_argo.kube.proxy import proxy_for
from odahu_argo.odahu_api import MAX_PAGE_SIZE, PREFIX
from odahu_argo.uri import without_credentials

if TYPE_CHECKING:
    from urllib3 import BaseHTTPResponse, PoolManager


ADDRESS_HINT = "check --url, API_URL of odahu-argo config, or ODAHU_ARGO_API_URL"
TOKEN_HINT = "--token-file FILE, ODAHU_ARGO_API_TOKEN, or odahu-argo config set API_TOKEN - gives the server's token"
_NO_ROUTE = "Not Found"
"""Starlette's words for a path that nothing answers on."""


def from_answer(
    doing: str, method: str, server: str, status: int, headers: Mapping[str, str], body: bytes
) -> OdahuArgoError:
    """The error that an answer tells: what the server says, problem by problem."""
    if 300 <= status < 400:
        place = without_credentials(urljoin(server, headers.get("Location", "")))
        return UserError(
            f"cannot {doing}: {server} sends requests on to {place}; the token is not taken there",
            hint="give the API server's own address by --url",
        )
    told = _problems(body)
    if status == 401:
        said = "; ".join(each.message for each in told) or "who are you?"
        return Unauthorized(f"cannot {doing}: {server} does not let us in: {said}", hint=TOKEN_HINT)
    if not told or (status == 404 and told[0].message == _NO_ROUTE):
        if status >= 500 or status == 429:
            return Unreachable(f"cannot {doing}: {server} answers with {status}", hint="try again later")
        return UserError(f"cannot {doing}: {server} is no ODAHU API: it answers with {status}", hint=ADDRESS_HINT)
    if status == 409:
        return AlreadyExists(told) if method == "POST" else Conflict(told)
    if status >= 500 or status == 429:
        return Unreachable(told)
    return {403: Forbidden, 404: NotFound}.get(status, Rejected)(told)


def no_api(doing: str, server: str, content_type: str) -> UserError:
    """The error for a success in another tongue, as of a login page."""
    said = f"{content_type.partition(';')[0]} instead of JSON" if content_type else "something that is no JSON"
    return UserError(f"cannot {doing}: {server} is no ODAHU API: it answers with {said}", hint=ADDRESS_HINT)


def from_silence(doing: str, server: str, error: BaseException) -> Unreachable:
    """The error for no answer at all, or one that broke off."""
    if is_tls_error(error):
        return Unreachable(
            f"cannot {doing}: the certificate of {server} is not trusted, or it does not speak TLS",
            hint="SSL_CERT_FILE names a file with the certificates of the authorities to trust",
        )
    return Unreachable(f"cannot {doing}: no answer from {server}: {describe_failure(error)}", hint=ADDRESS_HINT)


def _problems(body: bytes) -> list[Problem]:
    """What is wrong one by one where the server tells it so, else in its one text; none where the body is not ODAHU's."""
    try:
        told: Any = json.loads(body)
    except (ValueError, RecursionError):
        return []
    if not isinstance(told, dict) or not isinstance(told.get("message"), str):
        return []
    parts = told.get("problems")
    found = [_problem(each) for each in parts if isinstance(each, dict)] if isinstance(parts, list) else []
    return found or [Problem(told["message"])]


def _problem(told: Mapping[str, Any]) -> Problem:
    field, hint = told.get("field"), told.get("hint")
    return Problem(
        str(told.get("message", "")),
        Where(field=field if isinstance(field, str) else None),
        hint if isinstance(hint, str) else None,
    )


HINT = "an address such as https://odahu.example.org"


@dataclass(frozen=True, slots=True)
class ServerUrl:
    """Where an API server answers; as text without a slash at the end."""

    scheme: str
    host: str
    text: str

    def __str__(self) -> str:
        return self.text

    @property
    def is_loopback(self) -> bool:
        """Whether it is on this machine."""
        try:
            return self.host == "localhost" or ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False

    @property
    def is_open_to_listeners(self) -> bool:
        """Whether others on the way can read what is sent."""
        return self.scheme == "http" and not self.is_loopback


def parse_server_url(given: str) -> ServerUrl:
    """The address.

    Raises:
        UserError: it is none of an API server, or holds a password.
    """
    shown = without_credentials(given)
    try:
        parts = urlsplit(given.strip())
        host, _ = parts.hostname or "", parts.port
    except ValueError as error:
        raise UserError(f"{shown!r} is no address of an API server", hint=HINT) from error
    if parts.scheme not in ("http", "https") or not host or parts.query or parts.fragment or not given.isprintable():
        raise UserError(f"{shown!r} is no address of an API server", hint=HINT)
    if parts.username is not None:
        raise UserError(
            f"{shown!r} holds a user name or password",
            hint="the token is given by --token-file or ODAHU_ARGO_API_TOKEN",
        )
    return ServerUrl(parts.scheme, host, f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/')}")


CONNECT_SECONDS, READ_SECONDS = 10.0, 60.0
SILENCE_SECONDS = 300.0
"""A log that says nothing for so long is asked for anew: its connection may be dead."""
MAX_PAGES = 1000
TRIES = 3
"""Of a request that changes nothing."""
LARGEST = 64 * 2**20
"""Bytes of an answer."""
_AGENT = "odahu-argo"


class RemoteClient:
    """A client of an API server. Safe for use by several threads. No error and no `repr` contains the token."""

    def __init__(self, url: ServerUrl, token: str | None) -> None:
        self.url = url
        self._token = token
        self._connections = _connections(url)

    def get(self, doing: str, *path: str, query: Mapping[str, object] | None = None) -> Any:
        """The JSON at the path; `doing` says in an error what could not be done."""
        waits = itertools.chain(itertools.islice(pauses(0.3, 2), TRIES - 1), [None])
        while True:
            wait = next(waits)
            try:
                return self.send(doing, "GET", *path, query=query)[0]
            except Unreachable:
                if wait is None:
                    raise
                time.sleep(wait)

    def send(
        self, doing: str, method: str, *path: str, query: Mapping[str, object] | None = None, body: object = None
    ) -> tuple[Any, Mapping[str, str]]:
        """The JSON that is answered, and the answer's headers. Sent once."""
        with closing(self._ask(doing, method, path, query, body, READ_SECONDS)) as answer:
            raw = self._read(doing, answer)
            try:
                return json.loads(raw), answer.headers
            except (ValueError, RecursionError) as error:
                raise no_api(doing, str(self.url), answer.headers.get("Content-Type", "")) from error

    def get_pages(self, doing: str, *path: str) -> list[Any]:
        """Return every entry of a list, page by page."""
        entries: list[Any] = []
        for page in range(MAX_PAGES):
            found = self.get(doing, *path, query={"size": MAX_PAGE_SIZE, "page": page})
            entries += found if isinstance(found, list) else []
            if not isinstance(found, list) or len(found) < MAX_PAGE_SIZE:
                break
        return entries

    def lines(self, doing: str, *path: str, query: Mapping[str, object] | None = None) -> Generator[str, None, None]:
        """The lines of a text as they come. The connection is closed with the iterator."""
        from urllib3.exceptions import HTTPError

        with closing(self._ask(doing, "GET", path, query, None, SILENCE_SECONDS)) as answer:
            if not answer.headers.get("Content-Type", "").startswith("text/plain"):
                raise no_api(doing, str(self.url), answer.headers.get("Content-Type", ""))
            rest = b""
            try:
                for chunk in answer.stream(2**16):
                    *whole, rest = (rest + chunk).split(b"\n")
                    yield from (line.decode("utf-8", "replace") for line in whole)
            except (HTTPError, OSError) as error:
                raise from_silence(doing, str(self.url), error) from error
            if rest:
                yield rest.decode("utf-8", "replace")

    def _ask(
        self,
        doing: str,
        method: str,
        path: Sequence[str],
        query: Mapping[str, object] | None,
        body: object,
        read_seconds: float,
    ) -> BaseHTTPResponse:
        """The answer, a success, of which only the head has been read."""
        from urllib3 import Timeout
        from urllib3.exceptions import HTTPError

        headers = {"Accept": "*/*", "User-Agent": _AGENT}
        if self._token:
            headers["Authorization"] = f"Bearer {self._token}"
        if body is not None:
            headers["Content-Type"] = "application/json"
        place = "/".join(quote(part, safe="") for part in path)
        asked = f"?{urlencode(query)}" if query else ""
        try:
            answer: BaseHTTPResponse = self._connections.request(
                method,
                f"{self.url}{PREFIX}/{place}{asked}",
                body=None if body is None else json.dumps(body).encode(),
                headers=headers,
                timeout=Timeout(connect=CONNECT_SECONDS, read=read_seconds),
                retries=False,
                redirect=False,
                preload_content=False,
            )
        except (HTTPError, OSError) as error:
            raise from_silence(doing, str(self.url), error) from error
        if 200 <= answer.status < 300:
            return answer
        with closing(answer):
            raw = self._read(doing, answer)
        raise from_answer(doing, method, str(self.url), answer.status, answer.headers, raw)

    def _read(self, doing: str, answer: BaseHTTPResponse) -> bytes:
        from urllib3.exceptions import HTTPError

        try:
            raw = answer.read(LARGEST + 1)
        except (HTTPError, OSError) as error:
            raise from_silence(doing, str(self.url), error) from error
        if len(raw) > LARGEST:
            raise ServiceFault(f"cannot {doing}: {self.url} answers with more than {LARGEST // 2**20} MiB")
        return raw


def _connections(url: ServerUrl) -> PoolManager:
    """By the proxy that the environment names for it, if any, as most programs do (HTTPS_PROXY, NO_PROXY)."""
    import urllib3

    trust = ssl.create_default_context() if url.scheme == "https" else None
    proxy = proxy_for(str(url))
    if not proxy:
        return urllib3.PoolManager(maxsize=4, ssl_context=trust)
    return urllib3.ProxyManager(proxy, maxsize=4, ssl_context=trust)
