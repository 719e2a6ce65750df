"""Requests to an API server over HTTP: its token, limits on waiting, second tries, faults as errors."""

from __future__ import annotations

import itertools
import json
import ssl
import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import closing
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

from odahu_argo.client.address import Address
from odahu_argo.client.answers import from_answer, from_silence, no_api
from odahu_argo.errors import ServiceFault
from odahu_argo.submit.backoff import pauses
from odahu_argo.submit.cluster import Unreachable
from odahu_argo.submit.odahu_api import PREFIX
from odahu_argo.submit.proxy import proxy_for

if TYPE_CHECKING:
    from urllib3 import BaseHTTPResponse, PoolManager

CONNECT_SECONDS, READ_SECONDS = 10.0, 60.0
SILENCE_SECONDS = 300.0
"""A log that says nothing for so long is asked for anew: its connection may be dead."""
TRIES = 3
"""Of a request that changes nothing."""
LARGEST = 64 * 2**20
"""Bytes of an answer."""
_AGENT = "odahu-argo"


class Server:
    """An API server. May be used by several threads at once. No error and no `repr` shows the token."""

    def __init__(self, address: Address, token: str | None) -> None:
        self.address = address
        self._token = token
        self._connections = _connections(address)

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
                raise no_api(doing, str(self.address), answer.headers.get("Content-Type", "")) from error

    def lines(self, doing: str, *path: str, query: Mapping[str, object] | None = None) -> Generator[str, None, None]:
        """The lines of a text as they come. The connection is closed with the iterator."""
        from urllib3.exceptions import HTTPError

        with closing(self._ask(doing, "GET", path, query, None, SILENCE_SECONDS)) as answer:
            if not answer.headers.get("Content-Type", "").startswith("text/plain"):
                raise no_api(doing, str(self.address), answer.headers.get("Content-Type", ""))
            rest = b""
            try:
                for chunk in answer.stream(2**16):
                    *whole, rest = (rest + chunk).split(b"\n")
                    yield from (line.decode("utf-8", "replace") for line in whole)
            except (HTTPError, OSError) as error:
                raise from_silence(doing, str(self.address), error) from error
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
                f"{self.address}{PREFIX}/{place}{asked}",
                body=None if body is None else json.dumps(body).encode(),
                headers=headers,
                timeout=Timeout(connect=CONNECT_SECONDS, read=read_seconds),
                retries=False,
                redirect=False,
                preload_content=False,
            )
        except (HTTPError, OSError) as error:
            raise from_silence(doing, str(self.address), error) from error
        if 200 <= answer.status < 300:
            return answer
        with closing(answer):
            raw = self._read(doing, answer)
        raise from_answer(doing, method, str(self.address), answer.status, answer.headers, raw)

    def _read(self, doing: str, answer: BaseHTTPResponse) -> bytes:
        from urllib3.exceptions import HTTPError

        try:
            raw = answer.read(LARGEST + 1)
        except (HTTPError, OSError) as error:
            raise from_silence(doing, str(self.address), error) from error
        if len(raw) > LARGEST:
            raise ServiceFault(f"cannot {doing}: {self.address} answers with more than {LARGEST // 2**20} MiB")
        return raw


def _connections(address: Address) -> PoolManager:
    """By the proxy that the environment names for it, if any, as most programs do (HTTPS_PROXY, NO_PROXY)."""
    import urllib3

    trust = ssl.create_default_context() if address.scheme == "https" else None
    proxy = proxy_for(str(address))
    if not proxy:
        return urllib3.PoolManager(maxsize=4, ssl_context=trust)
    return urllib3.ProxyManager(proxy, maxsize=4, ssl_context=trust)
