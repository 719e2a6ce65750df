"""The command tree, whole or only as far as a command line needs it: to build all of it takes longer than to compile."""

from __future__ import annotations

import os
from collections.abc import Collection, Sequence
from copy import copy
from dataclasses import dataclass, field
from importlib import import_module
from typing import Annotated, Any

import typer
from typer.models import CommandInfo

from odahu_argo import __version__
from odahu_argo.cli import render

PROGRAM = "odahu-argo"
DEBUG_VARIABLE = "ODAHU_ARGO_DEBUG"
COMPLETION_VARIABLE = "_ODAHU_ARGO_COMPLETE"
"""By this a shell asks for completions (https://typer.tiangolo.com/tutorial/options-autocompletion/)."""


@dataclass(frozen=True, slots=True)
class _Branch:
    """A command or a group of commands: the module below `odahu_argo.cli` and the name in it."""

    module: str
    name: str = "app"
    options: dict[str, Any] = field(default_factory=dict)


_HIDDEN: dict[str, Any] = {"hidden": True}
_BRANCHES = {
    "plan": _Branch("compile", "plan_command"),
    "compile": _Branch("compile", "compile_command"),
    "render": _Branch("gitops", "render_command"),
    "diff": _Branch("gitops", "diff_command"),
    "setup": _Branch("setup"),
    "status": _Branch("status", "status_command"),
    "doctor": _Branch("doctor", "doctor_command"),
    "recorder": _Branch("recorder", "recorder_command"),
    "mlflow-server": _Branch("mlflow", "mlflow_server_command"),
    "report": _Branch("report", "report_command"),
    "server": _Branch("server", "server_command"),
    "completion": _Branch("completion", "completion_command"),
    "login": _Branch("security", "login_command"),
    "logout": _Branch("security", "logout_command"),
    "version": _Branch("tree", "version_command", _HIDDEN),
    "train": _Branch("train"),
    "training": _Branch("train", options=_HIDDEN),
    "conn": _Branch("conn"),
    "connection": _Branch("conn", options=_HIDDEN),
    "toolchain-integration": _Branch("toolchain"),
    "ti": _Branch("toolchain", options=_HIDDEN),
    "bulk": _Branch("bulk"),
    "local": _Branch("local"),
    "config": _Branch("config"),
    "conf": _Branch("config", options=_HIDDEN),
}


def tree(arguments: Sequence[str] | None = None) -> typer.Typer:
    """The commands; of a command line's `arguments` only what they can reach and what help shows of the rest."""
    app = typer.Typer(
        name=PROGRAM,
        help="ODAHU-flow's ModelTraining manifests on Argo Workflows: compile, run, report.",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_options)
    for name in _wanted(arguments or ()):
        branch = _BRANCHES[name]
        found = getattr(import_module(f"odahu_argo.cli.{branch.module}"), branch.name)
        if isinstance(found, typer.Typer):
            app.add_typer(found, name=name, **branch.options)
        else:
            app.command(name, **branch.options)(found)
    return app if arguments is None or COMPLETION_VARIABLE in os.environ else _along(app, arguments)


def _wanted(arguments: Sequence[str]) -> list[str]:
    """One branch where the first argument is its name, else all: no option before it takes a value."""
    word = next((each for each in arguments if each not in ("--verbose", "--non-verbose")), "")
    return list(_BRANCHES) if word not in _BRANCHES or COMPLETION_VARIABLE in os.environ else [word]


def _along(app: typer.Typer, words: Collection[str]) -> typer.Typer:
    """The same group, but what no word names has no parameters: it cannot be run, and help shows name and purpose alone."""
    app = copy(app)
    app.registered_commands = [each if each.name in words else _shown(each) for each in app.registered_commands]
    app.registered_groups = [copy(each) for each in app.registered_groups]
    for each in app.registered_groups:
        if each.typer_instance is not None:
            each.typer_instance = _along(each.typer_instance, words if each.name in words else ())
    return app


def _shown(command: CommandInfo) -> CommandInfo:
    def nothing() -> None:
        pass

    nothing.__doc__ = (command.callback or nothing).__doc__
    command = copy(command)
    command.callback = nothing
    return command


def _show_version(wanted: bool) -> bool:
    if wanted:
        version_command()
        raise typer.Exit()
    return wanted


def version_command() -> None:
    """Print the version.

    Example: odahu-argo version
    """
    render.out(f"{PROGRAM} {__version__}")


def _show_faults(wanted: bool) -> bool:
    if wanted:
        os.environ[DEBUG_VARIABLE] = "1"
    return wanted


def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version and end.")
    ] = False,
    verbose: Annotated[
        bool,
        typer.Option(
            "--verbose/--non-verbose", callback=_show_faults, help="Show where a fault of the program happened."
        ),
    ] = False,
) -> None:
    pass
