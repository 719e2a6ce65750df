"""Authentication by bearer token: fixed tokens, or JSON Web Tokens of an OpenID provider."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fastapi import Request

from odahu_argo.errors import ServiceFault
from odahu_argo.server.errors import NotAuthenticated

if TYPE_CHECKING:
    from jwt import PyJWK

KEYS_FAILED = "the keys of the OpenID provider cannot be fetched"
KEYS_SECONDS = 300.0
"""Time for which the provider's keys are cached."""
COOLDOWN_SECONDS = 5.0
"""Minimum time between two requests for unknown keys: tokens with invented key IDs must not cause requests."""
PROVIDER_SECONDS = 5.0
"""Timeout of a request to the provider."""
ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"]
"""Asymmetric algorithms only. The keys of a JWKS are public and must never be the secret of an HMAC."""


@dataclass(frozen=True, slots=True)
class Caller:
    """The sender of a request. `may_decrypt` permits reading secret values."""

    may_decrypt: bool = False


class OidcProvider:
    """Validates tokens with the provider's JSON Web Key Set: signature, audience, issuer and expiration.

    A caller with `decrypt_role` among the roles in the claim `role_claim` may read secret values.
    """

    def __init__(
        self,
        jwks_url: str,
        audience: str,
        issuer: str,
        decrypt_role: str | None = None,
        role_claim: str = "realm_access.roles",
        cooldown: float = COOLDOWN_SECONDS,
    ) -> None:
        from jwt import PyJWKClient

        self._keys = PyJWKClient(jwks_url, lifespan=KEYS_SECONDS, timeout=PROVIDER_SECONDS, cooldown_duration=cooldown)
        self._audience = audience
        self._issuer = issuer
        self._decrypt_role = decrypt_role
        self._role_claim = role_claim

    def caller(self, token: str) -> Caller | None:
        """Return the caller, or None if the token is not valid.

        Raises:
            ServiceFault: The provider's keys cannot be fetched.
        """
        claims = self._claims(token)
        if claims is None:
            return None
        return Caller(self._decrypt_role is not None and self._decrypt_role in _roles(claims, self._role_claim))

    def _claims(self, token: str) -> Mapping[str, Any] | None:
        import jwt

        try:
            key_id = jwt.get_unverified_header(token).get("kid")
            key = self._key(key_id) if isinstance(key_id, str) else None
            if key is None:
                return None
            return jwt.decode(
                token,
                key,
                algorithms=ALGORITHMS,
                audience=self._audience,
                issuer=self._issuer,
                options={"require": ["exp", "aud", "iss"]},
            )
        except (jwt.PyJWTError, ValueError, RecursionError):
            return None

    def _key(self, key_id: str) -> PyJWK | None:
        """Return the key with this ID, or None if the provider does not have it."""
        import jwt

        try:
            return self._keys.get_signing_key(key_id)
        except jwt.PyJWKClientConnectionError as error:
            raise ServiceFault(KEYS_FAILED) from error
        except jwt.PyJWKClientError as error:
            if self._keys.jwk_set_cache is None or self._keys.jwk_set_cache.get() is None:
                raise ServiceFault(KEYS_FAILED) from error
            return None
        except (jwt.PyJWTError, ValueError, RecursionError) as error:
            raise ServiceFault(KEYS_FAILED) from error


@dataclass(frozen=True, slots=True)
class Guard:
    """Accepts requests with a fixed token or a token of the provider. Without `token` and `oidc`, accepts every request.

    Only `decrypt_token`, or the provider's role for it, permits reading secret values.
    """

    token: str | None = None
    oidc: OidcProvider | None = None
    decrypt_token: str | None = None

    @property
    def is_open(self) -> bool:
        """Whether requests need no authentication."""
        return self.token is None and self.oidc is None

    def check(self, authorization: str | None) -> Caller:
        """Return the sender of a request with this Authorization header (RFC 6750).

        Raises:
            NotAuthenticated: The header is missing or not valid.
            ServiceFault: The provider's keys cannot be fetched.
        """
        scheme, _, rest = (authorization or "").partition(" ")
        token = rest.strip() if scheme.lower() == "bearer" else ""
        if token and _equal(token, self.decrypt_token):
            return Caller(may_decrypt=True)
        if self.is_open:
            return Caller()
        if not token:
            raise NotAuthenticated("a bearer token is required")
        if _equal(token, self.token):
            return Caller()
        caller = self.oidc.caller(token) if self.oidc is not None else None
        if caller is None:
            raise NotAuthenticated("the bearer token is not valid")
        return caller

    def authenticate(self, request: Request) -> None:
        """Check a request. A dependency of routes, which get the sender from `request_caller`."""
        request.state.caller = self.check(request.headers.get("authorization"))


def request_caller(request: Request) -> Caller:
    """Return the sender of an authenticated request."""
    caller: Caller = request.state.caller
    return caller


def _equal(token: str, expected: str | None) -> bool:
    return expected is not None and hmac.compare_digest(token.encode(), expected.encode())


def _roles(claims: Mapping[str, Any], name: str) -> list[str]:
    """Return the roles in the claim `name`, or else at the dotted path `name`. A single role may be a string."""
    value: Any = claims.get(name)
    if value is None:
        value = claims
        for part in name.split("."):
            value = value.get(part) if isinstance(value, Mapping) else None
    roles = value if isinstance(value, list) else [value]
    return [role for role in roles if isinstance(role, str)]
