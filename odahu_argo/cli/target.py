"""The common options (profile, namespace, context, url, token), declared once, and the backend that they select."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from odahu_argo.cli import render
from odahu_argo.cli.config_file import saved_value
from odahu_argo.errors import Problem, UserError
from odahu_argo.uri import without_credentials

if TYPE_CHECKING:
    from odahu_argo.backends.base import Backend
    from odahu_argo.backends.remote import RemoteBackend
    from odahu_argo.backends.remote_client import RemoteClient, ServerUrl
    from odahu_argo.kube.cluster import Cluster
    from odahu_argo.profile import Profile

CLUSTER_OPTIONS = ("namespace", "context", "profile")
_TOKEN = re.compile(r"[\x21-\x7e]+")
_PANEL = "Common options"


def saved_path(name: str) -> Callable[[Path | None], Path | None]:
    """Return an option callback that falls back to the saved setting `name`, a path."""

    def fall_back(value: Path | None) -> Path | None:
        saved = saved_value(name) if value is None else None
        return Path(saved) if saved else value

    return fall_back


def _reject_url(ctx: typer.Context, url: str | None) -> str | None:
    if url and not ctx.resilient_parsing:
        raise UserError(
            f"{ctx.command_path} does not work with {without_credentials(url)}: the API has no route for it",
            hint="omit --url; if API_URL is saved, --url '' selects the cluster of the kubeconfig",
        )
    return url


def saved_text(name: str) -> Callable[[str | None], str | None]:
    """Return an option callback that falls back to the saved setting `name`."""
    return lambda value: saved_value(name) if value is None else value


ProfileFile = Annotated[
    Path | None,
    typer.Option(
        "--profile",
        envvar="ODAHU_ARGO_PROFILE",
        metavar="FILE",
        callback=saved_path("PROFILE"),
        help="Profile, a YAML file (docs/reference/profile.md).",
        rich_help_panel=_PANEL,
    ),
]
Namespace = Annotated[
    str | None,
    typer.Option(
        "--namespace",
        "-n",
        envvar="ODAHU_ARGO_NAMESPACE",
        metavar="NAME",
        callback=saved_text("NAMESPACE"),
        help="Namespace of the trainings. Defaults to the namespace of the profile, then of the kubeconfig.",
        rich_help_panel=_PANEL,
    ),
]
KubeContext = Annotated[
    str | None,
    typer.Option(
        "--context",
        envvar="ODAHU_ARGO_CONTEXT",
        metavar="NAME",
        callback=saved_text("CONTEXT"),
        help="Kubeconfig context. Defaults to the current context.",
        rich_help_panel=_PANEL,
    ),
]
Url = Annotated[
    str | None,
    typer.Option(
        "--url",
        metavar="URL",
        help="API server to use instead of Kubernetes (docs/guides/api-server.md); '' selects Kubernetes.",
        rich_help_panel=_PANEL,
    ),
]
TokenFile = Annotated[
    Path | None,
    typer.Option(
        "--token-file", metavar="FILE", help="File with the bearer token for the API server.", rich_help_panel=_PANEL
    ),
]
Token = Annotated[
    str | None,
    typer.Option(
        "--token",
        envvar="ODAHU_ARGO_API_TOKEN",
        metavar="TOKEN",
        show_default=False,
        help="Bearer token for the API server. It is visible in the process list; prefer --token-file.",
        rich_help_panel=_PANEL,
    ),
]
NoUrl = Annotated[str | None, typer.Option("--url", hidden=True, callback=_reject_url)]
"""`--url` of a command without a route in the API: accepted only to explain that."""
_CLUSTER: dict[str, Any] = {"profile": ProfileFile, "namespace": Namespace, "context": KubeContext}


@dataclass(frozen=True, slots=True)
class Target:
    """The backend that the common options of a command select.

    An option of the command takes precedence over the same option of its group, and this over saved settings.
    """

    ctx: typer.Context

    def backend(self) -> Backend:
        """Return the API server of `--url`, else the cluster of the kubeconfig.

        Raises:
            UserError: The options contradict each other or cannot be used.
            Unreachable: The cluster does not answer.
        """
        if url := self._url():
            from odahu_argo.backends.remote import RemoteBackend

            return RemoteBackend(self.server(url)[0])
        from odahu_argo.backends.kubernetes import KubernetesBackend

        return KubernetesBackend(*self.cluster())

    def known_server(self) -> RemoteBackend | None:
        """Return the API server of `--url`, else the saved one, for a command that does not need one.

        Raises:
            UserError: The URL or the token is malformed.
        """
        from odahu_argo.backends.remote import RemoteBackend

        url = self._url()
        return RemoteBackend(self.api_server(url)) if url else None

    def cluster(self) -> tuple[Cluster, Profile]:
        """Return the cluster, and the profile with the cluster's namespace.

        Without `--profile`, the profile is the one that `setup --apply` stored in the namespace, else the defaults.

        Raises:
            UserError: `--url` is given, the context does not exist, or the profile cannot be used.
            Unreachable: The cluster does not answer.
        """
        from odahu_argo.resources.profile import connect_with_profile

        _reject_url(self.ctx, self._url())
        profile = self.option("profile")
        return connect_with_profile(
            None if profile is None else Path(profile), self.option("namespace"), self.option("context")
        )

    def server(self, url: str) -> tuple[RemoteClient, str | None]:
        """Return the API server at `url` and its token.

        Raises:
            UserError: The URL or the token is malformed, or an option of a cluster is given as well.
        """
        from odahu_argo.backends.remote_client import parse_server_url

        address = parse_server_url(url)
        for name in CLUSTER_OPTIONS:
            if self.is_given(name):
                raise UserError(
                    f"--{name} applies to a cluster, not to the API server {address}",
                    hint=f"omit it, or use --url '' --{name} … for the cluster of the kubeconfig",
                )
        return self.api_server(url), self._token(address)

    def api_server(self, url: str) -> RemoteClient:
        """Return the API server at `url`, for a command that may also use a cluster.

        Raises:
            UserError: The URL or the token is malformed.
        """
        from odahu_argo.backends.remote_client import RemoteClient, parse_server_url

        address = parse_server_url(url)
        token = self._token(address)
        if token and address.is_insecure:
            message = f"the token is sent to {address} unencrypted"
            render.warning(Problem(message, hint="use an https URL, for example of a proxy with TLS"))
        return RemoteClient(address, token)

    def option(self, name: str) -> Any:
        """Return the value of an option of the command, else of the groups around it."""
        ctx: Any = self.ctx
        while ctx is not None:
            if (value := ctx.params.get(name)) is not None:
                return value
            ctx = ctx.parent
        return None

    def is_given(self, name: str) -> bool:
        """Return whether the option is on the command line, rather than in the environment or saved."""
        source = self.ctx.get_parameter_source(name)
        return source is not None and source.name == "COMMANDLINE"

    def _url(self) -> str | None:
        if "no_url" in self.ctx.params:
            return None
        url = self.option("url")
        return saved_value("API_URL") if url is None else str(url)

    def _token(self, address: ServerUrl) -> str | None:
        """Return the token for the server: from the options, else that of a running server of this user, else the saved one.

        A saved token is only sent to the saved server.
        """
        from odahu_argo.backends.remote_client import parse_server_url
        from odahu_argo.server_tokens import find_token

        file, token = self.option("token_file"), self.option("token")
        if file is not None:
            try:
                token = Path(file).read_text(encoding="utf-8").strip()
            except (OSError, UnicodeDecodeError) as error:
                raise UserError(
                    f"--token-file: {file} cannot be read", hint="specify a text file that contains the token"
                ) from error
        token = token or find_token(str(address))
        if not token:
            saved_url = saved_value("API_URL")
            token = saved_value("API_TOKEN") if saved_url is None or parse_server_url(saved_url) == address else None
        if token and not _TOKEN.fullmatch(token):
            raise UserError("the token for the API server contains invalid characters", hint="check the token")
        return token or None


def backend_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the common options of a command that works with a cluster and with an API server.

    The command takes a `Target` instead of the options.
    """
    return _with_target(command, {**_CLUSTER, "url": Url, "token_file": TokenFile})


def cluster_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the common options of a command about trainings for which the API has no route: it needs a cluster."""
    return _with_target(command, {**_CLUSTER, "url": NoUrl})


def operator_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the common options of a command that always uses the cluster, even if an API server is saved."""
    return _with_target(command, {**_CLUSTER, "no_url": NoUrl})


def group_options(
    url: Annotated[
        str | None,
        typer.Option(
            "--url",
            metavar="URL",
            envvar="ODAHU_ARGO_API_URL",
            help="API server to use instead of Kubernetes (docs/guides/api-server.md).",
            rich_help_panel=_PANEL,
        ),
    ] = None,
    token: Token = None,
    token_file: TokenFile = None,
) -> None:
    """Callback of a group: odahuflowctl accepts these options between the group and its command."""


def _with_target(command: Callable[..., None], options: dict[str, Any]) -> Callable[..., None]:
    own = list(inspect.signature(command, eval_str=True).parameters.values())
    [target] = [parameter.name for parameter in own if parameter.annotation is Target]

    def run(ctx: typer.Context, **values: Any) -> None:
        command(**{target: Target(ctx)}, **{name: value for name, value in values.items() if name not in options})

    keyword = inspect.Parameter.KEYWORD_ONLY
    parameters = [
        inspect.Parameter("ctx", keyword, annotation=typer.Context),
        *(parameter.replace(kind=keyword) for parameter in own if parameter.name != target),
        *(inspect.Parameter(name, keyword, default=None, annotation=option) for name, option in options.items()),
    ]
    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    run.__name__, run.__doc__, run.__module__ = command.__name__, command.__doc__, command.__module__
    return run
