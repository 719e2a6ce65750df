"""The server's process: where it listens, and until when."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from odahu_argo.errors import ServiceFault, UserError
from odahu_argo.server.guard import Guard, Oidc
from odahu_argo.server.source import Trainings

SHORTEST_TOKEN = 16
"""Characters."""
_GRACE = 5
"""Seconds that answers in progress have when the server is stopped."""
_PATIENCE = 5
"""Seconds to wait for the provider's keys."""


def make_guard(
    token_file: Path | None, oidc_jwks: str | None, oidc_audience: str | None, oidc_issuer: str | None
) -> Guard:
    """Who is let in.

    Raises:
        UserError: the token cannot be read or is too short, or of the three settings of OpenID some are missing.
    """
    oidc = None
    if any((oidc_jwks, oidc_audience, oidc_issuer)):
        if not (oidc_jwks and oidc_audience and oidc_issuer):
            raise UserError("--oidc-jwks, --oidc-audience and --oidc-issuer belong together", hint="give all three")
        if not oidc_jwks.startswith(("https://", "http://")):
            raise UserError(f"--oidc-jwks: {oidc_jwks!r} is no address", hint="https://idp.example.org/keys")
        from jwt import PyJWKClient

        oidc = Oidc(PyJWKClient(oidc_jwks, timeout=_PATIENCE), oidc_audience, oidc_issuer)
    return Guard(None if token_file is None else _token(token_file), oidc)


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


def serve(trainings: Trainings, guard: Guard, host: str, port: int, tell: Callable[[str], None]) -> None:
    """Answer until the process is told to end. Port 0 takes a free one; `tell` is given the address.

    Raises:
        UserError: everyone would be let in from other machines.
        ServiceFault: it cannot listen there.
    """
    import uvicorn

    from odahu_argo.server.app import build_app

    require_loopback_or_guard(host, guard)
    app = build_app(trainings, guard)
    with closing(_listen(host, port)) as listening:
        shown = f"[{host}]" if ":" in host else host
        tell(f"listening on http://{shown}:{listening.getsockname()[1]}/swagger/index.html")
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


def _token(file: Path) -> str:
    try:
        token = file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"--token-file: {file} cannot be read", hint="name a text file with the token in it") from error
    if len(token) < SHORTEST_TOKEN:
        raise UserError(
            f"--token-file: the token in {file} has fewer than {SHORTEST_TOKEN} characters", hint="openssl rand -hex 32"
        )
    return token
