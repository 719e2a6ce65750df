"""Validation of JSON Web Tokens of an OpenID provider."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from odahu_argo.server.provider_keys import COOLDOWN_SECONDS, ProviderKeys

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
        self._keys = ProviderKeys(jwks_url, cooldown)
        self._audience = audience
        self._issuer = issuer
        self._decrypt_role = decrypt_role
        self._role_claim = role_claim

    async def caller(self, token: str) -> Caller | None:
        """Return the caller, or None if the token is not valid.

        Raises:
            ServiceFault: The provider's keys cannot be fetched.
        """
        claims = await self._claims(token)
        if claims is None:
            return None
        return Caller(self._decrypt_role is not None and self._decrypt_role in _roles(claims, self._role_claim))

    async def _claims(self, token: str) -> Mapping[str, Any] | None:
        import jwt

        try:
            key_id = jwt.get_unverified_header(token).get("kid")
            key = await self._keys.find(key_id) if isinstance(key_id, str) else None
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


def _roles(claims: Mapping[str, Any], name: str) -> list[str]:
    """Return the roles in the claim `name`, or else at the dotted path `name`. A single role may be a string."""
    value: Any = claims.get(name)
    if value is None:
        value = claims
        for part in name.split("."):
            value = value.get(part) if isinstance(value, Mapping) else None
    roles = value if isinstance(value, list) else [value]
    return [role for role in roles if isinstance(role, str)]
