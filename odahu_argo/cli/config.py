"""`odahu-argo config all|get|set|path`: what is set for good."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated

import typer

from odahu_argo.cli import render

if TYPE_CHECKING:
    from odahu_argo.cli.config_file import Variable

app = typer.Typer(help="What is set for good: options win over it, and so does the environment.", no_args_is_help=True)

Key = Annotated[str, typer.Argument(metavar="KEY", help="The variable's name.")]

ShowSecrets = Annotated[
    bool, typer.Option("--show-secrets/--no-show-secrets", help="As odahuflowctl had it; no variable is a secret.")
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
        _show(each)


@app.command("get")
def get_command(key: Key, show_secrets: ShowSecrets = False) -> None:
    """Show one variable.

    Example: odahu-argo config get NAMESPACE
    """
    from odahu_argo.cli.config_file import find

    _show(find(key))


@app.command("set")
def set_command(
    key: Key, value: Annotated[str, typer.Argument(metavar="VALUE", help="The value; '' takes it out.")]
) -> None:
    """Set a variable for good.

    Example: odahu-argo config set NAMESPACE ml
    """
    from odahu_argo.cli.config_file import find, write

    variable = find(key)
    write(variable.name, value)
    _show(variable)


@app.command("path")
def path_command() -> None:
    """Say where the variables are kept.

    Example: odahu-argo config path
    """
    from odahu_argo.cli.config_file import path

    render.out(str(path()))


def _show(variable: Variable) -> None:
    """As odahuflowctl wrote it, and where the value is from."""
    from odahu_argo.cli.config_file import path, read

    render.out(f"{variable.name} - {variable.purpose}\n  default: None")
    from_environment = os.environ.get(variable.environment, "") if variable.environment else ""
    if value := from_environment or read().get(variable.name):
        render.out(f"  current: {value!r}\n  from: {variable.environment if from_environment else path()}")
