"""The command tree: loaded on demand, with complete help."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

from odahu_argo.cli.app import COMMANDS, PROGRAM, build_command
from tests.commands import odahu_argo


def walk(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yield a command and all commands below it."""
    yield path, command
    for name, inner in getattr(command, "commands", {}).items():
        yield from walk(inner, (*path, name))


def test_root_help_lists_every_visible_command() -> None:
    text = odahu_argo("--help").out
    for name, command in COMMANDS.items():
        assert bool(re.search(rf"^│ {name} ", text, re.MULTILINE)) is not command.is_hidden, name


def test_root_help_imports_no_command() -> None:
    code = (
        "import sys; from odahu_argo.cli.app import build_command\n"
        "try: build_command()(['--help'])\n"
        "except SystemExit: pass\n"
        "print([m for m in sys.modules if m in ('odahu_argo.cli.train', 'odahu_argo.cli.compile', 'pydantic')])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.endswith("[]\n")


def test_every_command_shows_an_example() -> None:
    commands = [(path, command) for path, command in walk(build_command()) if not hasattr(command, "commands")]
    assert len(commands) > 40
    for path, command in commands:
        assert PROGRAM in command.help.partition("Example: ")[2], path


def test_suggests_a_similar_command() -> None:
    assert "Did you mean 'train'" in odahu_argo("trai").err
    assert "Did you mean 'get'" in odahu_argo("train", "gett").err


def test_id_may_equal_a_command_name() -> None:
    result = odahu_argo("local", "train", "get", "--id", "delete")
    assert "delete" in result.err
    assert "No such" not in result.err


def test_help_names_the_type_of_every_value() -> None:
    for path, command in walk(build_command()):
        for parameter in command.params:
            assert parameter.hidden or parameter.metavar is not None, (path, parameter.name)
