"""`odahu-argo server`: ODAHU's training API and the pages."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from odahu_argo.cli import render
from odahu_argo.cli.options import Folders
from odahu_argo.cli.target import Target, operator_options

if TYPE_CHECKING:
    from odahu_argo.backends.base import Backend

_PACKAGES = ("fastapi", "fastapi_offline", "httpx", "jwt", "prometheus_client", "uvicorn")


@operator_options
def server_command(
    target: Target,
    host: Annotated[str, typer.Option("--host", metavar="ADDRESS", help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[
        int, typer.Option("--port", min=0, max=65535, metavar="PORT", help="Port; 0 selects a free one.")
    ] = 5000,
    unix_socket: Annotated[
        Path | None,
        typer.Option(
            "--unix-socket", metavar="FILE", help="Listen on a Unix socket that only you can use, instead of a port."
        ),
    ] = None,
    local: Annotated[bool, typer.Option("--local", help="Run trainings on this machine instead of a cluster.")] = False,
    manifest_dir: Folders = None,
    token_file: Annotated[
        Path | None,
        typer.Option("--token-file", metavar="FILE", help="File with the bearer token that clients must send."),
    ] = None,
    decrypt_token_file: Annotated[
        Path | None,
        typer.Option(
            "--decrypt-token-file", metavar="FILE", help="File with the bearer token that may also read secret values."
        ),
    ] = None,
    oidc_jwks: Annotated[
        str | None,
        typer.Option("--oidc-jwks", metavar="URL", help="Key set (JWKS) of the OpenID provider."),
    ] = None,
    oidc_audience: Annotated[
        str | None, typer.Option("--oidc-audience", metavar="AUDIENCE", help="Audience of OpenID tokens.")
    ] = None,
    oidc_issuer: Annotated[
        str | None, typer.Option("--oidc-issuer", metavar="URL", help="Issuer of OpenID tokens.")
    ] = None,
    decrypt_role: Annotated[
        str | None,
        typer.Option("--decrypt-role", metavar="ROLE", help="Role in OpenID tokens that may read secret values."),
    ] = None,
    oidc_role_claim: Annotated[
        str, typer.Option("--oidc-role-claim", metavar="CLAIM", help="Claim with the roles, a path separated by dots.")
    ] = "realm_access.roles",
) -> None:
    """Serve ODAHU's training API, Swagger UI and the pages. docs/reference/api.md lists the routes.

    Without --token-file or OpenID, the server generates a token, prints a URL that signs your browser in, and listens on
    loopback only. Your own commands find the token by the URL.

    Example: odahu-argo server -n ml --host 0.0.0.0 --token-file token
    """
    from odahu_argo.errors import UserError

    missing = [name for name in _PACKAGES if find_spec(name) is None]
    if missing:
        raise UserError(
            f"packages of the server are not installed: {', '.join(missing)}",
            hint="pip install 'odahu-argo[server]'",
        )
    if local and any(target.is_given(name) for name in ("namespace", "context")):
        raise UserError(
            "--local cannot be combined with --namespace or --context", hint="omit --local to use a cluster"
        )
    if manifest_dir and not local:
        raise UserError(
            "--manifest-dir requires --local", hint="on a cluster, store connections with odahu-argo conn apply"
        )
    from odahu_argo.server.listener import listen_on_file, listen_on_port
    from odahu_argo.server.serve import OidcSettings, make_guard, require_loopback_for_generated_token, serve

    oidc = OidcSettings(oidc_jwks, oidc_audience, oidc_issuer, decrypt_role, oidc_role_claim)
    others = ("host", "port", "token_file", "oidc_jwks", "oidc_audience", "oidc_issuer", "decrypt_role")
    if unix_socket and (given := [f"--{name.replace('_', '-')}" for name in others if target.is_given(name)]):
        raise UserError(
            f"--unix-socket cannot be combined with {given[0]}",
            hint="only your own processes can connect to the socket; they need no token",
        )
    guard = make_guard(token_file, decrypt_token_file, oidc, is_socket=unix_socket is not None)
    require_loopback_for_generated_token(host, guard)
    if local:
        from odahu_argo.backends.local import LocalBackend
        from odahu_argo.local.home import Home, require_local_training

        require_local_training()
        local_backend = LocalBackend(Home.from_environment(), manifest_dir or [], target.option("profile"))
        local_backend.prepare()
        backend: Backend = local_backend
    else:
        from odahu_argo.backends.shared import SharedKubernetesBackend

        backend = SharedKubernetesBackend(*target.cluster())
    listener = listen_on_file(unix_socket) if unix_socket else listen_on_port(host, port)
    serve(backend, guard, listener, render.note)
