"""`odahu-argo completion`: shell completion scripts, and the IDs that they complete."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from odahu_argo.cli.app import COMPLETION_VARIABLE, PROGRAM
from odahu_argo.cli.target import Target

TIMEOUT = 3.0
"""Seconds after which no IDs are completed."""


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


def trainings(ctx: typer.Context, incomplete: str) -> list[str]:
    """Return IDs of trainings."""
    return _with_prefix(incomplete, lambda: Target(ctx).backend().trainings.ids())


def connections(ctx: typer.Context, incomplete: str) -> list[str]:
    """Return IDs of connections."""
    return _with_prefix(incomplete, lambda: (document["id"] for document in Target(ctx).backend().connections.list()))


def toolchains(ctx: typer.Context, incomplete: str) -> list[str]:
    """Return IDs of toolchains."""
    return _with_prefix(incomplete, lambda: (document["id"] for document in Target(ctx).backend().toolchains.list()))


def local_trainings(incomplete: str) -> list[str]:
    """Return IDs of local trainings."""
    from odahu_argo.local.home import Home
    from odahu_argo.local.store import TrainingStore

    return _with_prefix(
        incomplete, lambda: (training.id for training in TrainingStore(Home.from_environment().store_file).all())
    )


def _with_prefix(incomplete: str, find: Callable[[], Iterable[str]]) -> list[str]:
    """Return the matching IDs; none if they cannot be read in time."""
    ids: list[str] = []

    def read() -> None:
        try:
            ids.extend(find())
        except Exception:
            return

    thread = threading.Thread(target=read, daemon=True)
    thread.start()
    thread.join(TIMEOUT)
    return sorted(name for name in ids if name.startswith(incomplete))
