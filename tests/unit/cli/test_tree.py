"""What a start leaves out, because the command line does not need it, is not missed by anyone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import typer

from odahu_argo.cli.tree import PROGRAM, tree
from tests.commands import odahu_argo


def helps(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], str]]:
    """The help of a command and of each below it."""
    yield path, help_of(command, path)
    for name, inner in getattr(command, "commands", {}).items():
        yield from helps(inner, (*path, name))


def help_of(command: Any, path: tuple[str, ...]) -> str:
    context = command.make_context(" ".join((PROGRAM, *path)), [], resilient_parsing=True)
    return str(command.get_help(context))


def test_every_help_is_the_same_as_that_of_the_whole_tree() -> None:
    whole = dict(helps(typer.main.get_command(tree())))
    assert len(whole) > 70
    for path, expected in whole.items():
        command: Any = typer.main.get_command(tree([*path, "--help"]))
        for name in path:
            command = command.commands[name]
        assert help_of(command, path) == expected


def test_help_lists_all_commands_whatever_is_named_after_it() -> None:
    assert odahu_argo("--help", "compile").out == odahu_argo("--help").out
    assert odahu_argo("train", "--help", "get").out == odahu_argo("train", "--help").out


def test_a_misspelt_command_is_told_with_those_it_is_like() -> None:
    assert "Did you mean 'train'" in odahu_argo("trai").err
    assert "Did you mean 'get'" in odahu_argo("train", "gett").err


def test_an_id_may_be_called_as_a_command() -> None:
    ran = odahu_argo("local", "train", "get", "--id", "delete")
    assert "delete" in ran.err
    assert "No such" not in ran.err
