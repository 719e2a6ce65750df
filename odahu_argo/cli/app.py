"""The command tree, loaded on demand, and the process: exit codes, error output, the version."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping, MutableMapping
from copy import copy
from dataclasses import dataclass
from importlib import import_module
from io import TextIOWrapper
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

from odahu_argo import __version__
from odahu_argo.cli import render
from odahu_argo.errors import OdahuArgoError

PROGRAM = "odahu-argo"
DEBUG_VARIABLE = "ODAHU_ARGO_DEBUG"
COMPLETION_VARIABLE = "_ODAHU_ARGO_COMPLETE"
"""Set by a shell that completes a command line (https://typer.tiangolo.com/tutorial/options-autocompletion/)."""
INTERRUPTED = 130

_PREPARE, _RUN_LOCALLY, _RUN_ON_ARGO, _OPERATE, _SETTINGS = (
    "Plan and compile",
    "Run on this machine",
    "Run on Argo",
    "Operate",
    "Settings",
)


@dataclass(frozen=True, slots=True)
class LazyCommand:
    """A command or group of the root: `module:name` below `odahu_argo.cli`, and what the root's help shows of it."""

    target: str
    summary: str = ""
    panel: str = ""

    @property
    def is_hidden(self) -> bool:
        """Aliases have no summary and are left out of the help."""
        return not self.summary


COMMANDS: Mapping[str, LazyCommand] = {
    "plan": LazyCommand("compile:plan_command", "Explain what a training will do and draw its DAG.", _PREPARE),
    "compile": LazyCommand("compile:compile_command", "Write the Argo Workflow of each training.", _PREPARE),
    "render": LazyCommand("gitops:render_command", "Write trainings as files for Git.", _PREPARE),
    "diff": LazyCommand("gitops:diff_command", "Compare manifests with Git and the cluster.", _PREPARE),
    "migrate": LazyCommand("migrate:migrate_command", "Export an ODAHU installation as files for Git.", _PREPARE),
    "local": LazyCommand("local:app", "Run trainings on this machine.", _RUN_LOCALLY),
    "train": LazyCommand("train:app", "Submit, follow, retry and delete trainings.", _RUN_ON_ARGO),
    "conn": LazyCommand("conn:app", "Manage connections.", _RUN_ON_ARGO),
    "toolchain-integration": LazyCommand("toolchain:app", "Manage toolchains.", _RUN_ON_ARGO),
    "bulk": LazyCommand("bulk:app", "Apply or delete all manifests of a file.", _RUN_ON_ARGO),
    "status": LazyCommand("status:status_command", "Report the training state of a Workflow object.", _RUN_ON_ARGO),
    "report": LazyCommand("report:report_command", "Save the page of a training as one HTML file.", _RUN_ON_ARGO),
    "setup": LazyCommand("setup:app", "Prepare a namespace for trainings.", _OPERATE),
    "doctor": LazyCommand("doctor:doctor_command", "Check a cluster before a training is submitted.", _OPERATE),
    "server": LazyCommand("server:server_command", "Serve ODAHU's training API and the web pages.", _OPERATE),
    "recorder": LazyCommand("in_cluster:recorder_command", "Record the history of trainings.", _OPERATE),
    "mlflow-server": LazyCommand("in_cluster:mlflow_server_command", "Run MLflow's tracking server.", _OPERATE),
    "login": LazyCommand("login:login_command", "Log in to an API server and save it as the default.", _SETTINGS),
    "logout": LazyCommand("login:logout_command", "Remove the saved API server and token.", _SETTINGS),
    "config": LazyCommand("config:app", "Show and change saved settings.", _SETTINGS),
    "completion": LazyCommand("completion:completion_command", "Print a shell completion script.", _SETTINGS),
    "version": LazyCommand("app:version_command"),
    "template-training": LazyCommand("argo_template:template_training_command"),
    "training": LazyCommand("train:app"),
    "connection": LazyCommand("conn:app"),
    "ti": LazyCommand("toolchain:app"),
    "conf": LazyCommand("config:app"),
}


class LazyCommands(MutableMapping[str, Any]):
    """Commands by name, each imported when it is first looked up."""

    def __init__(self, commands: Mapping[str, LazyCommand]) -> None:
        self._commands = commands
        self._loaded: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        if name not in self._loaded:
            self._loaded[name] = _load(name, self._commands[name])
        return self._loaded[name]

    def __setitem__(self, name: str, command: Any) -> None:
        self._loaded[name] = command

    def __delitem__(self, name: str) -> None:
        del self._loaded[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._commands)

    def __len__(self) -> int:
        return len(self._commands)


class RootGroup(TyperGroup):
    """The root command. Its help needs no import of the commands it lists.

    Importing all commands takes longer than compiling a training
    (https://click.palletsprojects.com/en/stable/complex/#lazily-loading-subcommands).
    """

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        self.commands = LazyCommands(COMMANDS)

    def _main_shell_completion(self, *arguments: Any, **named: Any) -> None:
        if COMPLETION_VARIABLE in os.environ:
            from typer._completion_classes import completion_init

            completion_init()
        super()._main_shell_completion(*arguments, **named)

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Write the help, with the summaries of the table instead of the commands' own."""
        listing = copy(self)
        listing.commands = {
            name: TyperCommand(name, help=command.summary, hidden=command.is_hidden, rich_help_panel=command.panel)
            for name, command in COMMANDS.items()
        }
        super(RootGroup, listing).format_help(ctx, formatter)


def build_command() -> Any:
    """Return the root command, a click group."""
    app = typer.Typer(
        name=PROGRAM,
        cls=RootGroup,
        help="ODAHU-flow's ModelTraining manifests on Argo Workflows: compile, run, report.",
        no_args_is_help=True,
        **SETTINGS,
    )
    app.callback()(_root_options)
    root: Any = typer.main.get_command(app)
    root.commands, lazy = {}, root.commands
    _hide_flag_types(root)
    root.commands = lazy
    return root


SETTINGS: dict[str, Any] = {
    "add_completion": False,
    "pretty_exceptions_enable": False,
    "rich_markup_mode": "markdown",
    "context_settings": {"help_option_names": ["-h", "--help"]},
}


def _load(name: str, command: LazyCommand) -> Any:
    module, _, attribute = command.target.partition(":")
    loaded = getattr(import_module(f"odahu_argo.cli.{module}"), attribute)
    app = typer.Typer(**SETTINGS)
    app.callback()(lambda: None)
    if isinstance(loaded, typer.Typer):
        app.add_typer(loaded, name=name, hidden=command.is_hidden)
    else:
        app.command(name, hidden=command.is_hidden)(loaded)
    group: Any = typer.main.get_command(app)
    _hide_flag_types(group.commands[name])
    return group.commands[name]


def _hide_flag_types(command: Any) -> None:
    """Let help show `--watch` instead of `--watch <bool>`, in a command and all commands below it."""
    help_option = command.get_help_option

    def plain_help_option(ctx: Any) -> Any:
        option = help_option(ctx)
        if option is not None:
            option.metavar = ""
        return option

    command.get_help_option = plain_help_option
    for parameter in command.params:
        if getattr(parameter, "is_flag", False):
            parameter.metavar = ""
    for subcommand in getattr(command, "commands", {}).values():
        _hide_flag_types(subcommand)


def version_command() -> None:
    """Print the version.

    Example: odahu-argo version
    """
    render.out(f"{PROGRAM} {__version__}")


def _print_version(requested: bool) -> bool:
    if requested:
        version_command()
        raise typer.Exit()
    return requested


def _enable_tracebacks(requested: bool) -> bool:
    if requested:
        os.environ[DEBUG_VARIABLE] = "1"
    return requested


def _root_options(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
    verbose: Annotated[
        bool,
        typer.Option(
            "--verbose/--non-verbose", callback=_enable_tracebacks, help="Show the traceback of an unexpected error."
        ),
    ] = False,
) -> None:
    pass


def main() -> None:
    """Run the command line and end the process with an exit code of docs/reference/cli.md."""
    os.umask(os.umask(0o077) | 0o022)  # no file is writable by other users, whatever the caller's umask
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")
    try:
        build_command()(prog_name=PROGRAM)
    except OdahuArgoError as error:
        render.error(error)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        render.note("interrupted")
        sys.exit(INTERRUPTED)
    except Exception as error:
        if os.environ.get(DEBUG_VARIABLE):
            raise
        hint = f"this is a bug in odahu-argo; set {DEBUG_VARIABLE}=1 to see the traceback"
        render.error(OdahuArgoError(f"unexpected {type(error).__name__}: {error}", hint))
        sys.exit(OdahuArgoError.exit_code)
    finally:
        render.finish()
