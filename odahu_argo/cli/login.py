"""`odahu-argo login` and `logout`: the saved API server and its token."""

from __future__ import annotations

from typing import Annotated

import typer

from odahu_argo.cli import render
from odahu_argo.cli.target import Target, Token, TokenFile


def login_command(
    ctx: typer.Context,
    url: Annotated[
        str | None, typer.Option("--url", metavar="URL", help="API server (docs/guides/api-server.md).")
    ] = None,
    token: Token = None,
    token_file: TokenFile = None,
) -> None:
    """Log in to an API server and save it as the default. A cluster needs a kubeconfig instead.

    Example: odahu-argo login --url https://odahu.example.org --token-file token
    """
    from odahu_argo.cli.config_file import write
    from odahu_argo.errors import UserError
    from odahu_argo.server_tokens import find_token

    if not url:
        hint = (
            "pass --url URL. Clusters need no login: kubectl config get-contexts lists your contexts,\n"
            "        odahu-argo config set CONTEXT NAME and config set NAMESPACE NAME save a context and a namespace"
        )
        raise UserError("no API server given", hint)
    server, verified_token = Target(ctx).server(url)
    server.get("log in", "model", "training", query={"size": 1})
    write("API_URL", str(server.url))
    is_generated = verified_token == find_token(str(server.url))
    write("API_TOKEN", "" if is_generated else verified_token or "")
    render.out("Success! Credentials have been saved.")


def logout_command() -> None:
    """Remove the saved API server and its token. The kubeconfig is not changed.

    Example: odahu-argo logout
    """
    from odahu_argo.cli.config_file import write

    for name in ("API_TOKEN", "API_URL"):
        write(name, "")
    render.out("All authorization credentials have been removed")
