"""The signing keys of an OpenID provider (JWKS, RFC 7517), fetched in the background."""

from __future__ import annotations

import asyncio
import json
import ssl
from time import monotonic
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from odahu_argo.errors import ServiceFault
from odahu_argo.http import is_loopback

if TYPE_CHECKING:
    from jwt import PyJWK

FETCH_SECONDS = 5.0
"""Total time of a request to the provider, from the name lookup to the last byte."""
REFRESH_SECONDS = 300.0
"""Age after which a known key causes a refresh in the background."""
MAX_AGE_SECONDS = 3600.0
"""Age after which keys are no longer used: the provider may have withdrawn one of them."""
COOLDOWN_SECONDS = 5.0
"""Minimum time between two requests: tokens with invented key IDs must not cause requests."""
UNKNOWN_SECONDS = 60.0
"""Time for which an ID that the provider does not have is remembered."""
MAX_UNKNOWN = 1000
MAX_ID_LENGTH = 256
MAX_JWKS_BYTES = 1024 * 1024
MIN_RSA_BITS = 2048
"""NIST SP 800-131A disallows shorter keys."""


class ProviderKeys:
    """The provider's keys. A known key never waits for the provider; callers with other keys share one request.

    If the provider does not answer, keys of the last answer remain valid for `MAX_AGE_SECONDS`.
    """

    def __init__(self, url: str, cooldown: float = COOLDOWN_SECONDS) -> None:
        import httpx
        import jwt

        self._url = url
        self._cooldown = cooldown
        self._failures = (httpx.HTTPError, httpx.InvalidURL, jwt.PyJWTError, OSError, ValueError, RecursionError)
        self._keys: dict[str, PyJWK] = {}
        self._fetched = self._tried = float("-inf")
        self._unknown: dict[str, float] = {}
        self._refreshing: asyncio.Task[None] | None = None

    async def find(self, key_id: str) -> PyJWK | None:
        """Return the key with this ID, or None if the provider does not have it.

        Raises:
            ServiceFault: The key is not known, and the provider does not answer.
        """
        age = monotonic() - self._fetched
        if age < MAX_AGE_SECONDS and (key := self._keys.get(key_id)):
            if age > REFRESH_SECONDS:
                self._refresh()
            return key
        if len(key_id) > MAX_ID_LENGTH or self._unknown.get(key_id, 0) > monotonic():
            return None
        if refreshing := self._refresh():
            await asyncio.shield(refreshing)
        if self._fetched < self._tried:
            raise ServiceFault("the keys of the OpenID provider cannot be fetched", hint="try again later")
        if key_id not in self._keys and refreshing:
            self._remember_unknown(key_id)
        return self._keys.get(key_id)

    def _refresh(self) -> asyncio.Task[None] | None:
        """Return the request in progress, or start one unless the last one was a moment ago."""
        if self._refreshing is None or self._refreshing.done():
            if monotonic() - self._tried < self._cooldown:
                return None
            self._refreshing = asyncio.create_task(self._fetch())
        return self._refreshing

    async def _fetch(self) -> None:
        try:
            async with asyncio.timeout(FETCH_SECONDS):
                document = await _read_json(self._url)
            keys = _signing_keys(document)
        except self._failures:
            self._tried = monotonic()
        else:
            self._keys = keys
            self._fetched = self._tried = monotonic()

    def _remember_unknown(self, key_id: str) -> None:
        if len(self._unknown) >= MAX_UNKNOWN:
            del self._unknown[next(iter(self._unknown))]
        self._unknown[key_id] = monotonic() + UNKNOWN_SECONDS


async def _read_json(url: str) -> Any:
    """Return the JSON at a URL. Redirects are errors: they could lead to a server without TLS."""
    import httpx

    body = bytearray()
    has_proxy = not is_loopback(urlsplit(url).hostname or "")
    async with (
        httpx.AsyncClient(verify=ssl.create_default_context(), timeout=FETCH_SECONDS, trust_env=has_proxy) as client,
        client.stream("GET", url, headers={"Accept": "application/json"}) as response,
    ):
        response.raise_for_status()
        async for chunk in response.aiter_bytes():
            body += chunk
            if len(body) > MAX_JWKS_BYTES:
                raise ValueError("the key set is too large")
    return json.loads(body)


def _signing_keys(document: Any) -> dict[str, PyJWK]:
    """Return the usable keys by ID."""
    from jwt import PyJWKSet

    if not isinstance(document, dict):
        raise ValueError("the key set is not an object")
    return {key.key_id: key for key in PyJWKSet.from_dict(document).keys if key.key_id and _is_acceptable(key)}


def _is_acceptable(key: PyJWK) -> bool:
    """Return whether the key is for signatures and long enough."""
    is_short = key.key_type == "RSA" and key.key.key_size < MIN_RSA_BITS
    return key.public_key_use in (None, "sig") and not is_short
