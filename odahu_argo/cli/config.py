"""`odahu-argo config all|get|set|path`: saved settings."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from odahu_argo.cli import render

if TYPE_CHECKING:
    from odahu_argo.cli.config_file import Variable

app = typer.Typer(help="Persistent settings. Options and environment variables take precedence.", no_args_is_help=True)

MASK = "****"
"""As in odahuflowctl."""

Key = Annotated[str, typer.Argument(metavar="KEY", help="Name of the setting.")]

ShowSecrets = Annotated[
    bool, typer.Option("--show-secrets/--no-show-secrets", help="Show API_TOKEN instead of a mask.")
]
WithSystem = Annotated[
    bool, typer.Option("--with-system/--no-with-system", help="Accepted for odahuflowctl; has no effect.")
]


@app.command("all")
def all_command(show_secrets: ShowSecrets = False, with_system: WithSystem = False) -> None:
    """Show every setting, its value and its source.

    Example: odahu-argo config all
    """
    from odahu_argo.cli.config_file import VARIABLES

    for variable in VARIABLES:
        _show(variable, show_secrets)


@app.command("get")
def get_command(key: Key, show_secrets: ShowSecrets = False) -> None:
    """Show one setting.

    Example: odahu-argo config get NAMESPACE
    """
    from odahu_argo.cli.config_file import find

    _show(find(key), show_secrets)


@app.command("set")
def set_command(
    key: Key,
    value: Annotated[
        str, typer.Argument(metavar="VALUE", help="New value; '' removes the setting, - reads standard input.")
    ],
) -> None:
    """Save a setting. Pass a token on standard input, since arguments are visible in the process list.

    Example: odahu-argo config set NAMESPACE ml
    """
    from odahu_argo.cli.config_file import find, write

    variable = find(key)
    write(variable.name, sys.stdin.read().strip() if value == "-" else value)
    _show(variable)


@app.command("path")
def path_command() -> None:
    """Print the path of the settings file.

    Example: odahu-argo config path
    """
    from odahu_argo.cli.config_file import path

    render.out(str(path()))


def _show(variable: Variable, show_secrets: bool = False) -> None:
    """Print a setting in odahuflowctl's format, with the source of the value."""
    from odahu_argo.cli.config_file import path, read

    render.out(f"{variable.name} - {variable.description}\n  default: None")
    from_environment = os.environ.get(variable.environment, "") if variable.environment else ""
    if value := from_environment or read().get(variable.name):
        shown = MASK if variable.is_secret and not show_secrets else value
        render.out(f"  current: {shown!r}\n  from: {variable.environment if from_environment else path()}")
