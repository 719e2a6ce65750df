"""The command line as a process, and the one place where an error becomes an exit code."""

from __future__ import annotations

import os
import sys
from io import TextIOWrapper

import typer

from odahu_argo.cli import render
from odahu_argo.cli.tree import DEBUG_VARIABLE, PROGRAM, tree
from odahu_argo.errors import OdahuArgoError

INTERRUPTED = 130


def _run() -> None:
    """The command, with what the user has set for good behind its options."""
    from odahu_argo.cli.config_file import defaults, read

    command = typer.main.get_command(tree(sys.argv[1:]))
    command(prog_name=PROGRAM, default_map=defaults(command, read()))


def main() -> None:
    """Run the command line and end the process with the exit code of docs/reference/cli.md."""
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
