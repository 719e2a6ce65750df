"""Run the server: authentication settings, listening socket, uvicorn."""

from __future__ import annotations

import socket
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from odahu_argo.backends.base import Backend
from odahu_argo.errors import ServiceFault, UserError
from odahu_argo.http import is_loopback
from odahu_argo.server.auth import Guard, OidcProvider

MIN_TOKEN_LENGTH = 16
SHUTDOWN_SECONDS = 5
"""Time that open requests get to finish when the server stops."""


@dataclass(frozen=True, slots=True)
class OidcSettings:
    """Settings of an OpenID provider. The first three belong together; the role requires them."""

    jwks: str | None = None
    audience: str | None = None
    issuer: str | None = None
    decrypt_role: str | None = None
    role_claim: str = "realm_access.roles"

    @property
    def is_empty(self) -> bool:
        """Whether no provider is configured."""
        return not any((self.jwks, self.audience, self.issuer, self.decrypt_role))


def make_guard(token_file: Path | None, decrypt_token_file: Path | None, oidc: OidcSettings) -> Guard:
    """Return the guard for these settings.

    Raises:
        UserError: A token file cannot be read, a token is too short, or settings of OpenID are missing.
    """
    token = None if token_file is None else _read_token("--token-file", token_file)
    decrypt_token = None if decrypt_token_file is None else _read_token("--decrypt-token-file", decrypt_token_file)
    if token is not None and token == decrypt_token:
        raise UserError(
            "--token-file and --decrypt-token-file contain the same token, so every caller could read secret values",
            hint="use two different tokens",
        )
    return Guard(token, None if oidc.is_empty else _oidc_provider(oidc), decrypt_token)


def _oidc_provider(oidc: OidcSettings) -> OidcProvider:
    if not (oidc.jwks and oidc.audience and oidc.issuer):
        raise UserError("--oidc-jwks, --oidc-audience and --oidc-issuer belong together", hint="set all three")
    url = urlsplit(oidc.jwks)
    if url.scheme not in ("https", "http") or not url.hostname:
        raise UserError(
            f"--oidc-jwks: {oidc.jwks!r} is not an http URL", hint="for example https://idp.example.org/keys"
        )
    return OidcProvider(oidc.jwks, oidc.audience, oidc.issuer, oidc.decrypt_role, oidc.role_claim)


def require_loopback_or_guard(host: str, guard: Guard) -> None:
    """Raise UserError if other machines could reach a server without authentication."""
    if guard.is_open and not is_loopback(host):
        raise UserError(
            f"cannot listen on {host}: without authentication, only loopback addresses are allowed",
            hint="set --token-file, or --oidc-jwks, --oidc-audience and --oidc-issuer",
        )


def serve(backend: Backend, guard: Guard, host: str, port: int, report: Callable[[str], None]) -> None:
    """Serve until the process is stopped. With port 0, use a free port. `report` receives the URL.

    Raises:
        UserError: Other machines could reach a server without authentication.
        ServiceFault: The address cannot be used.
    """
    import uvicorn

    from odahu_argo.server.app import build_app

    require_loopback_or_guard(host, guard)
    app = build_app(backend, guard)
    with closing(_listen(host, port)) as listener:
        shown = f"[{host}]" if ":" in host else host
        report(f"listening on http://{shown}:{listener.getsockname()[1]}/")
        config = uvicorn.Config(
            app, log_level="warning", access_log=False, server_header=False, timeout_graceful_shutdown=SHUTDOWN_SECONDS
        )
        uvicorn.Server(config).run(sockets=[listener])


def _listen(host: str, port: int) -> socket.socket:
    try:
        return socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except OSError as error:
        raise ServiceFault(f"cannot listen on {host}, port {port}: {error.strerror}") from error


def _read_token(option: str, file: Path) -> str:
    try:
        token = file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{option}: {file} cannot be read", hint="use a text file that contains the token") from error
    if len(token) < MIN_TOKEN_LENGTH:
        raise UserError(
            f"{option}: the token in {file} has fewer than {MIN_TOKEN_LENGTH} characters", hint="openssl rand -hex 32"
        )
    return token
