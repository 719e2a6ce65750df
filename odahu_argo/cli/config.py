"""`odahu-argo config all|get|set|path`: what is set for good."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from odahu_argo.cli import render

if TYPE_CHECKING:
    from odahu_argo.cli.config_file import Variable

app = typer.Typer(help="What is set for good: options win over it, and so does the environment.", no_args_is_help=True)

MASK = "****"
"""As odahuflowctl had it."""

Key = Annotated[str, typer.Argument(metavar="KEY", help="The variable's name.")]

ShowSecrets = Annotated[
    bool, typer.Option("--show-secrets/--no-show-secrets", help="Show API_TOKEN as it is, else masked.")
]
WithSystem = Annotated[
    bool, typer.Option("--with-system/--no-with-system", help="As odahuflowctl had it; no variable is the system's.")
]


@app.command("all")
def all_command(show_secrets: ShowSecrets = False, with_system: WithSystem = False) -> None:
    """Show every variable with its value, and where the value is from.

    Example: odahu-argo config all
    """
    from odahu_argo.cli.config_file import VARIABLES

    for each in VARIABLES:
        _show(each, show_secrets)


@app.command("get")
def get_command(key: Key, show_secrets: ShowSecrets = False) -> None:
    """Show one variable.

    Example: odahu-argo config get NAMESPACE
    """
    from odahu_argo.cli.config_file import find

    _show(find(key), show_secrets)


@app.command("set")
def set_command(
    key: Key,
    value: Annotated[
        str, typer.Argument(metavar="VALUE", help="The value; '' takes it out, - reads it from standard input.")
    ],
) -> None:
    """Set a variable for good. A token is better read from standard input, where no list of processes shows it.

    Example: odahu-argo config set NAMESPACE ml
    """
    from odahu_argo.cli.config_file import find, write

    variable = find(key)
    write(variable.name, sys.stdin.read().strip() if value == "-" else value)
    _show(variable)


@app.command("path")
def path_command() -> None:
    """Say where the variables are kept.

    Example: odahu-argo config path
    """
    from odahu_argo.cli.config_file import path

    render.out(str(path()))


def _show(variable: Variable, show_secrets: bool = False) -> None:
    """As odahuflowctl wrote it, and where the value is from."""
    from odahu_argo.cli.config_file import path, read

    render.out(f"{variable.name} - {variable.purpose}\n  default: None")
    from_environment = os.environ.get(variable.environment, "") if variable.environment else ""
    if value := from_environment or read().get(variable.name):
        shown = MASK if variable.is_secret and not show_secrets else value
        render.out(f"  current: {shown!r}\n  from: {variable.environment if from_environment else path()}")
