"""The command tree, and the one place where an error becomes an exit code."""

from __future__ import annotations

import os
import sys
from io import TextIOWrapper
from typing import Annotated

import typer

from odahu_argo import __version__
from odahu_argo.cli import render
from odahu_argo.cli.bulk import app as bulk_app
from odahu_argo.cli.compile import compile_command, plan_command
from odahu_argo.cli.completion import PROGRAM, completion_command
from odahu_argo.cli.config import app as config_app
from odahu_argo.cli.conn import app as conn_app
from odahu_argo.cli.doctor import doctor_command
from odahu_argo.cli.gitops import diff_command, render_command
from odahu_argo.cli.local import app as local_app
from odahu_argo.cli.mlflow import mlflow_server_command
from odahu_argo.cli.recorder import recorder_command
from odahu_argo.cli.report import report_command
from odahu_argo.cli.security import login_command, logout_command
from odahu_argo.cli.server import server_command
from odahu_argo.cli.setup import app as setup_app
from odahu_argo.cli.status import status_command
from odahu_argo.cli.toolchain import app as toolchain_app
from odahu_argo.cli.train import app as train_app
from odahu_argo.errors import OdahuArgoError

DEBUG_VARIABLE = "ODAHU_ARGO_DEBUG"
INTERRUPTED = 130

app = typer.Typer(
    name="odahu-argo",
    help="ODAHU-flow's ModelTraining manifests on Argo Workflows: compile, run, report.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("plan")(plan_command)
app.command("compile")(compile_command)
app.command("render")(render_command)
app.command("diff")(diff_command)
app.add_typer(setup_app, name="setup")
app.command("status")(status_command)
app.command("doctor")(doctor_command)
app.command("recorder")(recorder_command)
app.command("mlflow-server")(mlflow_server_command)
app.command("report")(report_command)
app.command("server")(server_command)
app.add_typer(train_app, name="train")
app.add_typer(train_app, name="training", hidden=True)
app.add_typer(conn_app, name="conn")
app.add_typer(conn_app, name="connection", hidden=True)
app.add_typer(toolchain_app, name="toolchain-integration")
app.add_typer(toolchain_app, name="ti", hidden=True)
app.add_typer(bulk_app, name="bulk")
app.add_typer(local_app, name="local")
app.add_typer(config_app, name="config")
app.add_typer(config_app, name="conf", hidden=True)
app.command("completion")(completion_command)
ANY_OPTIONS = {"ignore_unknown_options": True, "allow_extra_args": True}
app.command("login", hidden=True, context_settings=ANY_OPTIONS)(login_command)
app.command("logout", hidden=True)(logout_command)


def _show_version(wanted: bool) -> bool:
    if wanted:
        version_command()
        raise typer.Exit()
    return wanted


@app.command("version", hidden=True)
def version_command() -> None:
    """Print the version.

    Example: odahu-argo version
    """
    render.out(f"{PROGRAM} {__version__}")


def _show_faults(wanted: bool) -> bool:
    if wanted:
        os.environ[DEBUG_VARIABLE] = "1"
    return wanted


@app.callback()
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


def _run() -> None:
    """The command, with what the user has set for good behind its options."""
    from odahu_argo.cli.config_file import defaults, read

    command = typer.main.get_command(app)
    command(prog_name=PROGRAM, default_map=defaults(command, read()))


def main() -> None:
    """Run the command line and end the process with the exit code of docs/cli.md."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")
    try:
        _run()
    except OdahuArgoError as error:
        render.error(error)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        render.note("interrupted")
        sys.exit(INTERRUPTED)
    except Exception as error:
        if os.environ.get(DEBUG_VARIABLE):
            raise
        hint = f"this is a fault of odahu-argo; {DEBUG_VARIABLE}=1 shows where it happened"
        render.error(OdahuArgoError(f"unexpected {type(error).__name__}: {error}", hint))
        sys.exit(OdahuArgoError.exit_code)
    finally:
        render.finish()
