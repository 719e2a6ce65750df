"""Who may ask: bearer tokens, as one fixed token or as JSON Web Tokens of an OpenID provider."""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from typing import TYPE_CHECKING

from odahu_argo.errors import ServiceFault, UserError

if TYPE_CHECKING:
    from jwt import PyJWKClient

ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"]
"""Asymmetric ones only: a key of the JWKS is public, and must never serve as the secret of an HMAC."""


class NotAuthenticated(UserError):
    """No token, or one that is not accepted."""


@dataclass(frozen=True, slots=True)
class Oidc:
    """Tokens that a key of the provider's JWKS has signed, for this audience, by this issuer, not expired."""

    keys: PyJWKClient
    audience: str
    issuer: str

    def accepts(self, token: str) -> bool:
        """Whether the token is good now.

        Raises:
            ServiceFault: the provider's keys cannot be fetched.
        """
        import jwt

        try:
            key = self.keys.get_signing_key_from_jwt(token)
            required = ["exp", "aud", "iss"]
            jwt.decode(
                token,
                key,
                algorithms=ALGORITHMS,
                audience=self.audience,
                issuer=self.issuer,
                options={"require": required},
            )
        except jwt.PyJWKClientConnectionError as error:
            raise ServiceFault("the keys that tokens are checked with cannot be fetched") from error
        except jwt.PyJWTError:
            return False
        return True


@dataclass(frozen=True, slots=True)
class Guard:
    """Lets in whoever has the fixed token, or a token of the provider; with neither configured, everyone."""

    token: str | None = None
    oidc: Oidc | None = None

    @property
    def is_open(self) -> bool:
        """Whether everyone is let in."""
        return self.token is None and self.oidc is None

    def check(self, authorization: str | None) -> None:
        """See that the request's Authorization header (RFC 6750) is good.

        Raises:
            NotAuthenticated: it is not.
            ServiceFault: that cannot be told now.
        """
        if self.is_open:
            return
        scheme, _, token = (authorization or "").partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            raise NotAuthenticated("a bearer token is needed")
        given = token.strip()
        if self.token is not None and hmac.compare_digest(given.encode(), self.token.encode()):
            return
        if self.oidc is not None and self.oidc.accepts(given):
            return
        raise NotAuthenticated("the bearer token is not accepted")
