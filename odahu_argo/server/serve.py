"""Run the server: authentication settings, listening socket, uvicorn."""

from __future__ import annotations

import secrets
import socket
from collections.abc import Callable
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import uvicorn

from odahu_argo.backends.base import Backend
from odahu_argo.errors import UserError
from odahu_argo.http import is_loopback
from odahu_argo.server.auth import Guard
from odahu_argo.server.listener import Listener
from odahu_argo.server.oidc import OidcProvider
from odahu_argo.server.protocol import MAX_HEADER_BYTES, LimitedProtocol
from odahu_argo.server_tokens import remove_token, save_token

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


def make_guard(
    token_file: Path | None, decrypt_token_file: Path | None, oidc: OidcSettings, is_socket: bool = False
) -> Guard:
    """Return the guard for these settings. Without a token, a provider and a Unix socket, generate a token.

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
    if is_socket:
        return Guard(decrypt_token=decrypt_token, trusts_socket=True)
    if token is None and oidc.is_empty:
        return Guard(secrets.token_urlsafe(32), None, decrypt_token, is_generated=True)
    return Guard(token, None if oidc.is_empty else _oidc_provider(oidc), decrypt_token)


def _oidc_provider(oidc: OidcSettings) -> OidcProvider:
    if not (oidc.jwks and oidc.audience and oidc.issuer):
        raise UserError("--oidc-jwks, --oidc-audience and --oidc-issuer belong together", hint="set all three")
    url = urlsplit(oidc.jwks)
    if url.scheme not in ("https", "http") or not url.hostname:
        raise UserError(
            f"--oidc-jwks: {oidc.jwks!r} is not an https URL", hint="for example https://idp.example.org/keys"
        )
    if url.scheme == "http" and not is_loopback(url.hostname):
        raise UserError(
            f"--oidc-jwks: {oidc.jwks} is not encrypted: anyone on its path could replace the keys",
            hint="use an https URL; http is allowed for loopback addresses only",
        )
    return OidcProvider(oidc.jwks, oidc.audience, oidc.issuer, oidc.decrypt_role, oidc.role_claim)


def require_loopback_for_generated_token(host: str, guard: Guard) -> None:
    """Raise UserError if a generated token would be sent over a network."""
    if guard.is_generated and not is_loopback(host):
        raise UserError(
            f"cannot listen on {host}: without --token-file or OpenID, only loopback addresses are allowed",
            hint="set --token-file, or --oidc-jwks, --oidc-audience and --oidc-issuer",
        )


def serve(backend: Backend, guard: Guard, listener: Listener, report: Callable[[str], None]) -> None:
    """Serve until the process is stopped, then close the backend.

    `report` receives the URL, with the token if it was generated. A generated token is saved for commands of the same user
    until the server stops.

    Raises:
        ServiceFault: The token cannot be saved.
    """
    from odahu_argo.server.app import build_app

    app = build_app(backend, guard)
    with closing(listener), ExitStack() as stack:
        stack.callback(backend.close)
        stack.callback(listener.remove)

        def start() -> None:
            shown = f"{listener.url}/"
            if guard.is_generated and guard.token:
                stack.callback(remove_token, save_token(listener.url, guard.token))
                shown += f"?token={guard.token}"
            report(f"listening on {shown}")

        config = uvicorn.Config(
            app,
            http=LimitedProtocol,
            ws="none",
            log_level="warning",
            access_log=False,
            server_header=False,
            h11_max_incomplete_event_size=MAX_HEADER_BYTES,
            timeout_graceful_shutdown=SHUTDOWN_SECONDS,
        )
        _Server(config, start, stack.close).run(sockets=[listener.socket])


class _Server(uvicorn.Server):
    """Calls `on_start` when it handles signals, and `on_stop` when it stops.

    After the stop, uvicorn raises the signal that stopped it again, which ends the process.
    """

    def __init__(self, config: uvicorn.Config, on_start: Callable[[], None], on_stop: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_start, self._on_stop = on_start, on_stop

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start to accept connections."""
        await super().startup(sockets)
        self._on_start()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop listening and finish open requests."""
        self._on_stop()
        await super().shutdown(sockets)


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
