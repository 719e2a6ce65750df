"""Where a command goes: to a cluster by the kubeconfig, or to an API server by its address."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from odahu_argo.cli import options, render

if TYPE_CHECKING:
    from odahu_argo.backends.base import Site
    from odahu_argo.backends.remote_client import Address, Server
    from odahu_argo.kube.cluster import Cluster
    from odahu_argo.profile import Profile

OF_A_CLUSTER = ("namespace", "context", "profile")
_TOKEN = re.compile(r"[\x21-\x7e]+")


def _refuse(ctx: typer.Context, url: str | None) -> str | None:
    from odahu_argo.errors import UserError

    if url and not ctx.resilient_parsing:
        raise UserError(
            f"{ctx.command_path} does not work at {_shown(url)}: the API has no route for it",
            hint="leave out --url; where API_URL is set for good, --url '' speaks to the cluster of the kubeconfig",
        )
    return url


def _shown(url: str) -> str:
    from odahu_argo.uri import without_credentials

    return without_credentials(url)


Url = Annotated[
    str | None,
    typer.Option(
        "--url",
        metavar="URL",
        help="API server to use instead of Kubernetes (docs/guides/api-server.md); '' selects Kubernetes.",
    ),
]
TokenFile = Annotated[Path | None, typer.Option("--token-file", help="A file with the bearer token for that server.")]
Token = Annotated[
    str | None,
    typer.Option(
        "--token",
        envvar="ODAHU_ARGO_API_TOKEN",
        show_default=False,
        help="Its bearer token. Others can read it in the list of processes: better by --token-file or environment.",
    ),
]
NoUrl = Annotated[str | None, typer.Option("--url", hidden=True, callback=_refuse)]
"""Of a command that the API has no route for."""


def server_options(
    url: Annotated[
        str | None,
        typer.Option(
            "--url",
            metavar="URL",
            envvar="ODAHU_ARGO_API_URL",
            help="API server to use instead of Kubernetes (docs/guides/api-server.md).",
        ),
    ] = None,
    token: Token = None,
    token_file: TokenFile = None,
) -> None:
    """The options that odahuflowctl had between a group and its command; `site` finds them."""


def site(ctx: typer.Context) -> Site:
    """The site that the command's options name.

    Raises:
        UserError: the options contradict each other, or what they name cannot be used.
        Unreachable: the cluster does not answer.
    """
    if url := given(ctx, "url"):
        from odahu_argo.backends.remote import at_server

        return at_server(server(ctx, url)[0])
    from odahu_argo.backends.kubernetes import on_cluster

    return on_cluster(*cluster(ctx))


def cluster(ctx: typer.Context) -> tuple[Cluster, Profile]:
    """The cluster that the command's options name, with the profile.

    Raises:
        UserError: they name an API server, or what they name cannot be used.
        Unreachable: it does not answer.
    """
    _refuse(ctx, given(ctx, "url"))
    profile = given(ctx, "profile")
    return options.cluster(None if profile is None else Path(profile), given(ctx, "namespace"), given(ctx, "context"))


def given(ctx: typer.Context, name: str) -> Any:
    """What the command was given by that option, or one of the groups it is in."""
    around: Any = ctx
    while around is not None:
        if (value := around.params.get(name)) is not None:
            return value
        around = around.parent
    return None


def server(ctx: typer.Context, url: str) -> tuple[Server, str | None]:
    """The server at the address, and the token for it.

    Raises:
        UserError: the address or the token is none, or an option of a cluster stands beside them.
    """
    from odahu_argo.backends.remote_client import Server, read_address
    from odahu_argo.errors import Problem, UserError

    address = read_address(url)
    for name in OF_A_CLUSTER:
        source = ctx.get_parameter_source(name)
        if source is not None and source.name == "COMMANDLINE":
            raise UserError(
                f"--{name} is of a cluster, and {address} has its own",
                hint=f"leave it out; or --url '' speaks to the cluster of the kubeconfig with --{name}",
            )
    token = _token(ctx, address)
    if token and address.is_open_to_listeners:
        told = f"the token goes to {address} unencrypted: others on the way can read it"
        render.warning(Problem(told, hint="an https address, by a proxy with TLS before the server"))
    return Server(address, token), token


def _token(ctx: typer.Context, address: Address) -> str | None:
    """The token for the server; that of the configuration is sent to no other server than the one it names.

    Raises:
        UserError: it cannot be read, or is none. It is not shown.
    """
    from odahu_argo.backends.remote_client import read_address
    from odahu_argo.cli.config_file import read
    from odahu_argo.errors import UserError

    file, token = given(ctx, "token_file"), given(ctx, "token")
    if file is not None:
        try:
            token = Path(file).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise UserError(
                f"--token-file: {file} cannot be read", hint="name a text file with the token in it"
            ) from error
    if not token:
        kept = read()
        is_for_it = "API_URL" not in kept or read_address(kept["API_URL"]) == address
        token = kept.get("API_TOKEN") if is_for_it else None
    if token and not _TOKEN.fullmatch(token):
        raise UserError("the token for the API server holds characters that no token has", hint="is it a token alone?")
    return token or None
