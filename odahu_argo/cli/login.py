"""`odahu-argo login` and `logout`: an API server, and the token for it, set for good."""

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
    """See that an API server lets you in, and set it and the token for good. A cluster needs none of this, but a kubeconfig.

    Example: odahu-argo login --url https://odahu.example.org --token-file token
    """
    from odahu_argo.cli.config_file import write
    from odahu_argo.errors import UserError

    if not url:
        hint = (
            "--url URL names an API server. For a cluster: kubectl config get-contexts lists those that you may use,\n"
            "        odahu-argo config set CONTEXT NAME keeps one, config set NAMESPACE NAME the namespace"
        )
        raise UserError("log in to which API server? Upon Kubernetes your kubeconfig says who you are", hint)
    reached, good = Target(ctx).server(url)
    reached.get("log in", "model", "training", query={"size": 1})
    write("API_URL", str(reached.address))
    write("API_TOKEN", good or "")
    render.out("Success! Credentials have been saved.")


def logout_command() -> None:
    """Forget the API server and the token for it. Those for Kubernetes stay in your kubeconfig.

    Example: odahu-argo logout
    """
    from odahu_argo.cli.config_file import write

    for name in ("API_TOKEN", "API_URL"):
        write(name, "")
    render.out("All authorization credentials have been removed")
