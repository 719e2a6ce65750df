"""`odahu-argo server`: ODAHU's API for trainings."""

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

_PACKAGES = ("fastapi", "fastapi_offline", "jwt", "prometheus_client", "uvicorn")


@operator_options
def server_command(
    target: Target,
    host: Annotated[str, typer.Option("--host", help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="The port; 0 takes a free one.")] = 5000,
    local: Annotated[bool, typer.Option("--local", help="Train on this machine instead of a cluster.")] = False,
    manifest_dir: Folders = None,
    token_file: Annotated[
        Path | None, typer.Option("--token-file", help="A file with the bearer token that callers must have.")
    ] = None,
    decrypt_token_file: Annotated[
        Path | None,
        typer.Option("--decrypt-token-file", help="A file with the bearer token that may see secret values as well."),
    ] = None,
    oidc_jwks: Annotated[
        str | None,
        typer.Option("--oidc-jwks", metavar="URL", help="The keys of the OpenID provider of callers' tokens."),
    ] = None,
    oidc_audience: Annotated[str | None, typer.Option("--oidc-audience", help="The audience of those tokens.")] = None,
    oidc_issuer: Annotated[str | None, typer.Option("--oidc-issuer", help="The issuer of those tokens.")] = None,
    decrypt_role: Annotated[
        str | None, typer.Option("--decrypt-role", help="The role in those tokens that may see secret values.")
    ] = None,
    oidc_role_claim: Annotated[
        str, typer.Option("--oidc-role-claim", metavar="CLAIM", help="The claim that has the roles; a path by dots.")
    ] = "realm_access.roles",
) -> None:
    """Serve ODAHU's API for trainings, with Swagger UI, until stopped. docs/reference/api.md tells the routes.

    Without a token or OpenID it listens on loopback only.

    Example: odahu-argo server -n ml --host 0.0.0.0 --token-file token
    """
    from odahu_argo.errors import UserError

    missing = [name for name in _PACKAGES if find_spec(name) is None]
    if missing:
        raise UserError(
            f"the server needs packages that are not installed: {', '.join(missing)}",
            hint="pip install 'odahu-argo[server]'",
        )
    if local and any(target.is_given(name) for name in ("namespace", "context")):
        raise UserError(
            "--local takes no --namespace and --context", hint="trainings of this machine are in no cluster"
        )
    if manifest_dir and not local:
        raise UserError(
            "--manifest-dir belongs to --local", hint="on a cluster connections are kept by odahu-argo conn apply"
        )
    from odahu_argo.server.serve import OidcSettings, make_guard, require_loopback_or_guard, serve

    oidc = OidcSettings(oidc_jwks, oidc_audience, oidc_issuer, decrypt_role, oidc_role_claim)
    guard = make_guard(token_file, decrypt_token_file, oidc)
    require_loopback_or_guard(host, guard)
    if local:
        from odahu_argo.backends.local import LocalBackend
        from odahu_argo.local.home import Home, require_local_training

        require_local_training()
        local_backend = LocalBackend(Home.from_environment(), manifest_dir or [], target.option("profile"))
        local_backend.prepare()
        backend: Backend = local_backend
    else:
        from odahu_argo.backends.kubernetes import KubernetesBackend

        backend = KubernetesBackend(*target.cluster())
    serve(backend, guard, host, port, render.note)
