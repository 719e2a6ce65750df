"""HTTP client of an API server: authentication, and responses and failures as errors."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urljoin, urlsplit

from odahu_argo.errors import (
    AlreadyExists,
    Conflict,
    Forbidden,
    Location,
    NotFound,
    OdahuArgoError,
    Problem,
    Rejected,
    ServiceFault,
    Unauthorized,
    Unreachable,
    UserError,
)
from odahu_argo.odahu_api import MAX_PAGE_SIZE, PREFIX, USER_AGENT
from odahu_argo.uri import without_credentials

if TYPE_CHECKING:
    import requests

READ_SECONDS = 60.0
LOG_SECONDS = 300.0
"""Time without a new line after which a log is requested again: its connection may be dead."""
MAX_PAGES = 1000
URL_HINT = "check --url, API_URL of odahu-argo config, or ODAHU_ARGO_API_URL"
TOKEN_HINT = "set the token with --token-file FILE, ODAHU_ARGO_API_TOKEN, or odahu-argo config set API_TOKEN -"
LOOPBACK_TOKEN_HINT = f"{TOKEN_HINT}; for your own server, use the URL that it printed, with its address"
_UNKNOWN_ROUTE = "Not Found"
"""Starlette's message for a path without a route."""


@dataclass(frozen=True, slots=True)
class ServerUrl:
    """The URL of an API server, without a slash at the end."""

    scheme: str
    host: str
    text: str
    socket: str = ""
    """Path of the Unix socket, for a URL like `unix:/run/user/1000/odahu-argo`."""

    def __str__(self) -> str:
        return self.text

    @property
    def is_loopback(self) -> bool:
        """Whether the server is on this machine."""
        from odahu_argo.http import is_loopback

        return bool(self.socket) or is_loopback(self.host)

    @property
    def is_insecure(self) -> bool:
        """Whether others can read the traffic: plain HTTP to another machine."""
        return self.scheme == "http" and not self.is_loopback


def parse_server_url(url: str) -> ServerUrl:
    """Parse the URL of an API server.

    Raises:
        UserError: The URL is not valid, or contains a user name or password.
    """
    shown = without_credentials(url)
    hint = "for example https://odahu.example.org"
    try:
        parts = urlsplit(url.strip())
        if parts.scheme == "unix" and not parts.netloc and parts.path.startswith("/") and url.isprintable():
            return ServerUrl("unix", "", f"unix:{parts.path.rstrip('/')}", parts.path.rstrip("/"))
        host, _ = parts.hostname or "", parts.port
    except ValueError as error:
        raise UserError(f"{shown!r} is not the URL of an API server", hint=hint) from error
    if parts.scheme not in ("http", "https") or not host or parts.query or parts.fragment or not url.isprintable():
        raise UserError(f"{shown!r} is not the URL of an API server", hint=hint)
    if parts.username is not None:
        raise UserError(
            f"{shown!r} contains a user name or password",
            hint="set the token with --token-file or ODAHU_ARGO_API_TOKEN",
        )
    return ServerUrl(parts.scheme, host, f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/')}")


class RemoteClient:
    """A client of an API server. No error and no `repr` contains the token.

    `action` in methods describes the request in errors: "cannot list trainings: …".
    """

    def __init__(self, url: ServerUrl, token: str | None) -> None:
        from odahu_argo.http import HttpSession

        self.url = url
        self._root = "http://localhost" if url.socket else str(url)
        self._session = HttpSession(self._root, read_seconds=READ_SECONDS)
        if url.socket:
            from odahu_argo.unix_http import UnixSocketAdapter

            self._session.mount("http://", UnixSocketAdapter(url.socket))
        self._session.headers["User-Agent"] = USER_AGENT
        if token:
            self._session.headers["Authorization"] = f"Bearer {token}"

    def get(self, action: str, *path: str, query: Mapping[str, Any] | None = None) -> Any:
        """Return the JSON at a path."""
        return self.send(action, "GET", *path, query=query)[0]

    def get_pages(self, action: str, *path: str) -> list[Any]:
        """Return every entry of a list, page by page."""
        entries: list[Any] = []
        for page in range(MAX_PAGES):
            response = self.get(action, *path, query={"size": MAX_PAGE_SIZE, "page": page})
            entries += response if isinstance(response, list) else []
            if not isinstance(response, list) or len(response) < MAX_PAGE_SIZE:
                break
        return entries

    def send(
        self, action: str, method: str, *path: str, query: Mapping[str, Any] | None = None, body: object = None
    ) -> tuple[Any, Mapping[str, str]]:
        """Send a request. Return the JSON and the headers of the response. Only GET requests are retried."""
        response = self._request(action, method, path, query, body)
        content = self._read(action, response)
        try:
            return json.loads(content), response.headers
        except (ValueError, RecursionError) as error:
            raise self._not_an_api(action, response) from error

    def lines(self, action: str, *path: str, query: Mapping[str, Any] | None = None) -> Iterator[str]:
        """Yield the lines of a text as they arrive. Closing the iterator closes the connection."""
        import requests

        from odahu_argo.http import CONNECT_SECONDS, read_lines

        timeout = (CONNECT_SECONDS, LOG_SECONDS)
        response = self._request(action, "GET", path, query, None, timeout=timeout)
        with response:
            if not response.headers.get("Content-Type", "").startswith("text/plain"):
                raise self._not_an_api(action, response)
            try:
                yield from read_lines(response)
            except (requests.RequestException, OSError) as error:
                raise self._unreachable(action, error) from error

    def _request(
        self,
        action: str,
        method: str,
        path: tuple[str, ...],
        query: Mapping[str, Any] | None,
        body: object,
        **options: Any,
    ) -> requests.Response:
        """Send a request. Return the response, whose body has not been read, if it is a success."""
        import requests

        url = f"{self._root}{PREFIX}/{'/'.join(quote(part, safe='') for part in path)}"
        try:
            response = self._session.request(method, url, params=query, json=body, **options)
        except (requests.RequestException, OSError) as error:
            raise self._unreachable(action, error) from error
        if 200 <= response.status_code < 300:
            return response
        raise self._error(action, method, response)

    def _read(self, action: str, response: requests.Response) -> bytes:
        import requests

        from odahu_argo.http import MAX_BODY_BYTES, BodyTooLarge, read_body

        try:
            return read_body(response)
        except BodyTooLarge as error:
            limit = MAX_BODY_BYTES // 2**20
            raise ServiceFault(f"cannot {action}: the response of {self.url} is larger than {limit} MiB") from error
        except (requests.RequestException, OSError) as error:
            raise self._unreachable(action, error) from error

    def _error(self, action: str, method: str, response: requests.Response) -> OdahuArgoError:
        """Return the error for a response that is not a success, with the problems that the server reports."""
        status = response.status_code
        problems = _problems(self._read(action, response))
        if 300 <= status < 400:
            target = without_credentials(urljoin(str(self.url), response.headers.get("Location", "")))
            return UserError(
                f"cannot {action}: {self.url} redirects to {target}, and the token is not sent to another URL",
                hint="specify the URL of the API server itself with --url",
            )
        if status == 401:
            reason = "; ".join(problem.message for problem in problems) or "authentication required"
            hint = LOOPBACK_TOKEN_HINT if self.url.is_loopback else TOKEN_HINT
            return Unauthorized(f"cannot {action}: {self.url} denies access: {reason}", hint=hint)
        if not problems or (status == 404 and problems[0].message == _UNKNOWN_ROUTE):
            if status >= 500 or status == 429:
                return Unreachable(f"cannot {action}: {self.url} returned status {status}", hint="try again later")
            return UserError(f"cannot {action}: {self.url} is not an ODAHU API: status {status}", hint=URL_HINT)
        if status == 409:
            return AlreadyExists(problems) if method == "POST" else Conflict(problems)
        if status >= 500 or status == 429:
            return Unreachable(problems)
        return {403: Forbidden, 404: NotFound}.get(status, Rejected)(problems)

    def _not_an_api(self, action: str, response: requests.Response) -> UserError:
        """Return the error for a success that is not JSON, such as a login page."""
        content_type = response.headers.get("Content-Type", "").partition(";")[0] or "no content type"
        return UserError(
            f"cannot {action}: {self.url} is not an ODAHU API: it returned {content_type} instead of JSON",
            hint=URL_HINT,
        )

    def _unreachable(self, action: str, error: BaseException) -> Unreachable:
        from odahu_argo.http import describe_failure, is_tls_error

        if is_tls_error(error):
            return Unreachable(
                f"cannot {action}: the TLS certificate of {self.url} is not trusted, or the server does not use TLS",
                hint="set SSL_CERT_FILE to a file with the certificate of its authority",
            )
        return Unreachable(f"cannot {action}: no response from {self.url}: {describe_failure(error)}", hint=URL_HINT)


def _problems(body: bytes) -> list[Problem]:
    """Return the problems in an error response, or none if the body is not ODAHU's."""
    try:
        document: Any = json.loads(body)
    except (ValueError, RecursionError):
        return []
    if not isinstance(document, dict) or not isinstance(document.get("message"), str):
        return []
    entries = document.get("problems")
    problems = [_problem(entry) for entry in entries if isinstance(entry, dict)] if isinstance(entries, list) else []
    return problems or [Problem(document["message"])]


def _problem(entry: Mapping[str, Any]) -> Problem:
    field, hint = entry.get("field"), entry.get("hint")
    return Problem(
        str(entry.get("message", "")),
        Location(field=field if isinstance(field, str) else None),
        hint if isinstance(hint, str) else None,
    )
