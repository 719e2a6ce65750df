"""Authentication by bearer token or by Unix socket. A request without either is rejected."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass

from fastapi import Request

from odahu_argo.server.errors import NotAuthenticated
from odahu_argo.server.oidc import Caller, OidcProvider


@dataclass(frozen=True, slots=True)
class Guard:
    """Accepts requests with a fixed token or a token of the provider. Without any, rejects every request.

    Only `decrypt_token`, or the provider's role for it, permits reading secret values.

    Attributes:
        is_generated: The token was generated for the user who started the server on this machine.
        trusts_socket: Requests arrive through a Unix socket that only the same user can open, and need no token.
    """

    token: str | None = None
    oidc: OidcProvider | None = None
    decrypt_token: str | None = None
    is_generated: bool = False
    trusts_socket: bool = False

    @property
    def is_personal(self) -> bool:
        """Whether the server is for its own user on this machine, rather than for users of a network."""
        return self.is_generated or self.trusts_socket

    async def check(self, authorization: str | None) -> Caller:
        """Return the sender of a request with this Authorization header (RFC 6750).

        Raises:
            NotAuthenticated: The header is missing or not valid.
            ServiceFault: The provider's keys cannot be fetched.
        """
        scheme, _, rest = (authorization or "").partition(" ")
        token = rest.strip() if scheme.lower() == "bearer" else ""
        if token and _equal(token, self.decrypt_token):
            return Caller(may_decrypt=True)
        if self.trusts_socket:
            return Caller()
        if not token:
            raise NotAuthenticated("a bearer token is required")
        if _equal(token, self.token):
            return Caller()
        caller = await self.oidc.caller(token) if self.oidc is not None else None
        if caller is None:
            raise NotAuthenticated("the bearer token is not valid")
        return caller

    async def check_viewer(self, authorization: str | None, cookie: str | None) -> None:
        """Check a request for a page, which may have a cookie instead of the header.

        Raises:
            NotAuthenticated: Both are missing or not valid.
            ServiceFault: The provider's keys cannot be fetched.
        """
        if authorization or not cookie:
            await self.check(authorization)
        elif not any(_equal(cookie, _view_secret(token)) for token in (self.token, self.decrypt_token) if token):
            await self.check(f"Bearer {cookie}")

    def cookie(self, token: str) -> str:
        """Return the cookie for a valid token.

        A browser sends it to every port of this host, also to servers of other users. It therefore does not contain a fixed
        token, and only grants access to the pages.
        """
        is_fixed = _equal(token, self.token) or _equal(token, self.decrypt_token)
        return _view_secret(token) if is_fixed else token

    async def authenticate(self, request: Request) -> None:
        """Check a request. A dependency of routes, which get the sender from `request_caller`."""
        request.state.caller = await self.check(request.headers.get("authorization"))


def request_caller(request: Request) -> Caller:
    """Return the sender of an authenticated request."""
    caller: Caller = request.state.caller
    return caller


def _equal(token: str, expected: str | None) -> bool:
    return expected is not None and hmac.compare_digest(token.encode(), expected.encode())


def _view_secret(token: str) -> str:
    return hmac.digest(token.encode(), b"odahu-argo: view pages", hashlib.sha256).hex()
