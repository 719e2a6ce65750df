"""`odahu-argo completion`: shell completion scripts."""

from __future__ import annotations

import os
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from odahu_argo.cli.app import COMPLETION_VARIABLE, PROGRAM


class Shell(StrEnum):
    """Supported shells."""

    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"
    POWERSHELL = "powershell"
    PWSH = "pwsh"


def completion_command(
    ctx: typer.Context,
    shell: Annotated[
        Shell | None,
        typer.Argument(metavar="SHELL", help=f"{', '.join(Shell)}. Defaults to the calling shell."),
    ] = None,
) -> None:
    """Print a completion script for commands, options and the IDs of trainings, connections and toolchains.

    In fish: odahu-argo completion fish | source

    Example: source <(odahu-argo completion bash)
    """
    os.environ[COMPLETION_VARIABLE] = f"source_{shell or _calling_shell()}"
    ctx.find_root().command.main(args=[], prog_name=PROGRAM)


def _calling_shell() -> Shell:
    import shellingham

    from odahu_argo.errors import UserError

    try:
        name = shellingham.detect_shell()[0]
    except shellingham.ShellDetectionFailure:
        name = Path(os.environ.get("SHELL", "")).name
    if name not in set(Shell):
        raise UserError(f"unsupported shell {name or '(unknown)'}", f"pass one of {', '.join(Shell)}")
    return Shell(name)
