"""Who may ask: bearer tokens, as fixed tokens or as JSON Web Tokens of an OpenID provider."""

from __future__ import annotations

import hmac
import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from time import monotonic
from typing import TYPE_CHECKING, Any
from urllib.request import Request as UrlRequest
from urllib.request import urlopen

from fastapi import Request

from odahu_argo.errors import ServiceFault
from odahu_argo.server.errors import NotAuthenticated

if TYPE_CHECKING:
    from jwt import PyJWK


FRESH = 300.0
"""Seconds after which keys are fetched again, so that a key that the provider has withdrawn is given up."""
STALE = 3600.0
"""Seconds for which keys are used while the provider cannot be reached."""
PAUSE = 5.0
"""Seconds between two fetches: tokens with invented key ids must not become requests to the provider."""
_PATIENCE = 5.0
"""Seconds to wait for the provider."""
_LARGEST = 1024 * 1024
"""Bytes."""


class ProviderKeys:
    """The keys at an address, fetched when they are first asked for and again when they are old or one is not known."""

    def __init__(self, address: str, pause: float = PAUSE) -> None:
        self._address = address
        self._pause = pause
        self._lock = threading.Lock()
        self._keys: dict[str, PyJWK] = {}
        self._fetched: float | None = None
        self._tried: float | None = None
        self._failed = False

    def find(self, key_id: object) -> PyJWK | None:
        """The key of that id; None where the provider has none.

        Raises:
            ServiceFault: the provider does not answer, and the key is not known.
        """
        if not isinstance(key_id, str):
            return None
        with self._lock:
            if (self._age() > FRESH or key_id not in self._keys) and self._may_try():
                self._fetch()
            known = self._keys.get(key_id) if self._age() < STALE else None
            if known is None and self._failed:
                raise ServiceFault("the keys that tokens are checked with cannot be fetched")
            return known

    def _age(self) -> float:
        return float("inf") if self._fetched is None else monotonic() - self._fetched

    def _may_try(self) -> bool:
        return self._tried is None or monotonic() - self._tried >= self._pause

    def _fetch(self) -> None:
        self._tried = monotonic()
        try:
            asked = UrlRequest(self._address, headers={"Accept": "application/json"})
            with urlopen(asked, timeout=_PATIENCE) as answer:
                self._keys = _signing_keys(json.loads(answer.read(_LARGEST)))
        except (OSError, ValueError, RecursionError):
            self._failed = True
        else:
            self._failed, self._fetched = False, monotonic()


def _signing_keys(answer: Any) -> dict[str, PyJWK]:
    """The keys for signatures. One that is of no use here, such as of an unknown kind, is passed over.

    Raises:
        ValueError: the answer is no set of keys.
    """
    from jwt import PyJWK, PyJWTError

    if not (isinstance(answer, dict) and isinstance(answer.get("keys"), list)):
        raise ValueError("not a JSON Web Key Set")
    found = {}
    for each in answer["keys"]:
        if isinstance(each, dict) and isinstance(each.get("kid"), str) and each.get("use", "sig") == "sig":
            try:
                found[each["kid"]] = PyJWK(each)
            except (PyJWTError, ValueError, TypeError):
                continue
    return found


ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"]
"""Asymmetric ones only: a key of the JWKS is public, and must never serve as the secret of an HMAC."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Whoever asks, and whether secret values may be shown to them."""

    may_decrypt: bool = False


@dataclass(frozen=True, slots=True)
class Oidc:
    """Tokens that a key of the provider's JWKS has signed, for this audience, by this issuer, not expired.

    Who has `decrypt_role` among the roles in the claim `role_claim` may see secret values; without one, nobody.
    """

    keys: ProviderKeys
    audience: str
    issuer: str
    decrypt_role: str | None = None
    role_claim: str = "realm_access.roles"

    def caller(self, token: str) -> Caller | None:
        """Who has sent the token; None where it is not good now.

        Raises:
            ServiceFault: the provider's keys cannot be fetched.
        """
        claims = self._claims(token)
        if claims is None:
            return None
        return Caller(self.decrypt_role is not None and self.decrypt_role in _roles(claims, self.role_claim))

    def _claims(self, token: str) -> Mapping[str, Any] | None:
        import jwt

        try:
            key = self.keys.find(jwt.get_unverified_header(token).get("kid"))
            if key is None:
                return None
            return jwt.decode(
                token,
                key,
                algorithms=ALGORITHMS,
                audience=self.audience,
                issuer=self.issuer,
                options={"require": ["exp", "aud", "iss"]},
            )
        except (jwt.PyJWTError, ValueError, RecursionError):
            return None


@dataclass(frozen=True, slots=True)
class Guard:
    """Lets in whoever has a fixed token, or a token of the provider; without `token` and `oidc`, everyone.

    Only `decrypt_token`, or the provider's role for it, gives the right to see secret values.
    """

    token: str | None = None
    oidc: Oidc | None = None
    decrypt_token: str | None = None

    @property
    def is_open(self) -> bool:
        """Whether everyone is let in."""
        return self.token is None and self.oidc is None

    def check(self, authorization: str | None) -> Caller:
        """Who has sent a request with this Authorization header (RFC 6750).

        Raises:
            NotAuthenticated: the header is not good.
            ServiceFault: that cannot be told now.
        """
        scheme, _, rest = (authorization or "").partition(" ")
        given = rest.strip() if scheme.lower() == "bearer" else ""
        if given and _is(given, self.decrypt_token):
            return Caller(may_decrypt=True)
        if self.is_open:
            return Caller()
        if not given:
            raise NotAuthenticated("a bearer token is needed")
        if _is(given, self.token):
            return Caller()
        found = self.oidc.caller(given) if self.oidc is not None else None
        if found is None:
            raise NotAuthenticated("the bearer token is not accepted")
        return found

    def let_in(self, request: Request) -> None:
        """Check the request, as a dependency of routes; `caller` tells those who it was."""
        request.state.caller = self.check(request.headers.get("authorization"))


def caller(request: Request) -> Caller:
    """Who has sent the request, which a guard has let in."""
    found: Caller = request.state.caller
    return found


def _is(given: str, expected: str | None) -> bool:
    return expected is not None and hmac.compare_digest(given.encode(), expected.encode())


def _roles(claims: Mapping[str, Any], name: str) -> list[str]:
    """The roles in the claim of that name, or on that path of claims in claims. One role may stand alone as text."""
    found: Any = claims.get(name)
    if found is None:
        found = claims
        for part in name.split("."):
            found = found.get(part) if isinstance(found, Mapping) else None
    roles = found if isinstance(found, list) else [found]
    return [role for role in roles if isinstance(role, str)]
