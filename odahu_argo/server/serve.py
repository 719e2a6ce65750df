"""The server's process: where it listens, and until when."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from odahu_argo.errors import ServiceFault, UserError
from odahu_argo.server.auth import Guard, Oidc, ProviderKeys
from odahu_argo.server.source import Source

SHORTEST_TOKEN = 16
"""Characters."""
_GRACE = 5
"""Seconds that answers in progress have when the server is stopped."""


@dataclass(frozen=True, slots=True)
class OidcSettings:
    """An OpenID provider as the operator names it: the first three together or none; the role needs them."""

    jwks: str | None = None
    audience: str | None = None
    issuer: str | None = None
    decrypt_role: str | None = None
    role_claim: str = "realm_access.roles"

    @property
    def is_empty(self) -> bool:
        """Whether no provider is named."""
        return not any((self.jwks, self.audience, self.issuer, self.decrypt_role))


def make_guard(token_file: Path | None, decrypt_token_file: Path | None, oidc: OidcSettings) -> Guard:
    """Who is let in, and who may see secret values.

    Raises:
        UserError: a token cannot be read or is too short, or of the settings of OpenID some are missing.
    """
    token = None if token_file is None else _token("--token-file", token_file)
    decrypt_token = None if decrypt_token_file is None else _token("--decrypt-token-file", decrypt_token_file)
    if token is not None and token == decrypt_token:
        raise UserError(
            "--token-file and --decrypt-token-file hold the same token, so everyone could see secret values",
            hint="give two different ones",
        )
    return Guard(token, None if oidc.is_empty else _provider(oidc), decrypt_token)


def _provider(oidc: OidcSettings) -> Oidc:
    if not (oidc.jwks and oidc.audience and oidc.issuer):
        raise UserError("--oidc-jwks, --oidc-audience and --oidc-issuer belong together", hint="give all three")
    address = urlsplit(oidc.jwks)
    if address.scheme not in ("https", "http") or not address.hostname:
        raise UserError(f"--oidc-jwks: {oidc.jwks!r} is no address", hint="https://idp.example.org/keys")
    return Oidc(ProviderKeys(oidc.jwks), oidc.audience, oidc.issuer, oidc.decrypt_role, oidc.role_claim)


def require_loopback_or_guard(host: str, guard: Guard) -> None:
    """See that only this machine can reach a server that lets everyone in.

    Raises:
        UserError: others could.
    """
    if guard.is_open and not _is_loopback(host):
        raise UserError(
            f"without authentication the server listens on loopback only, not on {host}",
            hint="give --token-file FILE, or --oidc-jwks, --oidc-audience and --oidc-issuer",
        )


def serve(source: Source, guard: Guard, host: str, port: int, tell: Callable[[str], None]) -> None:
    """Answer until the process is told to end. Port 0 takes a free one; `tell` is given the address.

    Raises:
        UserError: everyone would be let in from other machines.
        ServiceFault: it cannot listen there.
    """
    import uvicorn

    from odahu_argo.server.app import build_app

    require_loopback_or_guard(host, guard)
    app = build_app(source, guard)
    with closing(_listen(host, port)) as listening:
        shown = f"[{host}]" if ":" in host else host
        tell(f"listening on http://{shown}:{listening.getsockname()[1]}/")
        config = uvicorn.Config(
            app, log_level="warning", access_log=False, server_header=False, timeout_graceful_shutdown=_GRACE
        )
        uvicorn.Server(config).run(sockets=[listening])


def _listen(host: str, port: int) -> socket.socket:
    try:
        return socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except OSError as error:
        raise ServiceFault(f"cannot listen on {host}, port {port}: {error.strerror}") from error


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _token(option: str, file: Path) -> str:
    try:
        token = file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{option}: {file} cannot be read", hint="name a text file with the token in it") from error
    if len(token) < SHORTEST_TOKEN:
        raise UserError(
            f"{option}: the token in {file} has fewer than {SHORTEST_TOKEN} characters", hint="openssl rand -hex 32"
        )
    return token
