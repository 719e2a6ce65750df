"""`odahu-argo completion`: what a shell needs to complete commands, options and ids."""

from __future__ import annotations

import os
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from odahu_argo.cli.app import COMPLETION_VARIABLE, PROGRAM


class Shell(StrEnum):
    """The shells that are known."""

    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"
    POWERSHELL = "powershell"
    PWSH = "pwsh"


def completion_command(
    ctx: typer.Context,
    shell: Annotated[
        Shell | None,
        typer.Argument(metavar="SHELL", help=f"{', '.join(Shell)}; else the one that this is called from."),
    ] = None,
) -> None:
    """Print the code by which a shell completes commands, options and ids, of trainings, connections and toolchains.

    In fish: odahu-argo completion fish | source

    Example: source <(odahu-argo completion bash)
    """
    os.environ[COMPLETION_VARIABLE] = f"source_{shell or _own_shell()}"
    ctx.find_root().command.main(args=[], prog_name=PROGRAM)


def _own_shell() -> Shell:
    import shellingham

    from odahu_argo.errors import UserError

    try:
        name = shellingham.detect_shell()[0]
    except shellingham.ShellDetectionFailure:
        name = Path(os.environ.get("SHELL", "")).name
    if name not in set(Shell):
        raise UserError(f"which shell? This one ({name or 'unknown'}) is none of {', '.join(Shell)}", "name it")
    return Shell(name)
