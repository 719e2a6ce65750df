"""docs/odahuflowctl.md against odahuflowctl 1.6.1's commands and flags, and against the program."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
import typer

from odahu_argo.cli.config_file import VARIABLES
from odahu_argo.cli.tree import tree
from tests.commands import odahu_argo
from tests.conftest import ROOT

PAGE = (ROOT / "docs" / "odahuflowctl.md").read_text(encoding="utf-8")
ORIGINAL: dict[str, list[str]] = json.loads(
    (ROOT / "tests" / "data" / "odahuflowctl-1.6.1.json").read_text(encoding="utf-8")
)
"""Read from the click commands of odahu-flow-cli 1.6.1, those that have to do with trainings."""
SHORT = {"training": "train", "connection": "conn", "toolchain-integration": "ti", "config": "conf"}


def rows() -> dict[str, tuple[set[str], set[str]]]:
    """Each command of the table: the flags that work here, and those that are not here."""
    found = {}
    for line in PAGE.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if len(cells) == 4 and re.fullmatch(r"`[-a-z ]+`", cells[0]):
            name = cells[0].strip("`").removeprefix("odahuflowctl")
            assert name not in found
            found[name] = (set(re.findall(r"`([^`]+)`", cells[1])), set(re.findall(r"`([^`]+)`", cells[2])))
    return found


def ours(name: str) -> Any:
    command: Any = typer.main.get_command(tree())
    for word in name.split():
        command = command.commands[word]
    return command


def options(command: Any) -> set[str]:
    names = {name for parameter in command.params for name in [*parameter.opts, *parameter.secondary_opts]}
    return {name for name in names if name.startswith("-")}


def test_the_table_holds_every_command_and_flag_of_odahuflowctl() -> None:
    table = rows()
    assert table.keys() == ORIGINAL.keys()
    for name, (here, absent) in table.items():
        assert here | absent == set(ORIGINAL[name]), name
        assert not here & absent


@pytest.mark.parametrize("name", rows())
def test_a_flag_works_here_exactly_where_the_table_says_so(name: str) -> None:
    here, absent = rows()[name]
    for spelled in {name, " ".join(SHORT.get(word, word) for word in name.split())}:
        assert here <= options(ours(spelled))
        assert not absent & options(ours(spelled))


@pytest.mark.parametrize("name", [name for name in rows() if not hasattr(ours(name), "commands")])
def test_help_of_each_command_shows_an_example(name: str) -> None:
    assert re.search(r"Example: .*odahu-argo ", ours(name).help)


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        ("--non-verbose -h", 0, "Usage: odahu-argo"),
        ("login --token secret-of-mine-0123", 2, "kubectl config get-contexts"),
        ("login --url http://127.0.0.1:1 --token secret-of-mine-0123", 3, "cannot log in: no answer"),
        ("version", 0, "odahu-argo "),
        ("conf path", 0, "config"),
        ("config set MODEL_HOST https://odahu.example.org", 2, "Variable 'MODEL_HOST' is unknown"),
        ("local training cleanup-containers", 0, "no containers"),
        ("train --issuer-url https://idp.example.org get", 2, "No such option"),
    ],
)
def test_what_differs_is_as_it_is_told(arguments: str, code: int, told: str) -> None:
    ran = odahu_argo(*arguments.split())
    assert ran.code == code, ran.err
    assert told in ran.out + ran.err
    assert (told in ran.err) == (code != 0 or arguments == "local training cleanup-containers")
    assert "secret-of-mine" not in ran.out + ran.err


def test_the_variables_are_told_with_what_they_stand_for() -> None:
    for variable in VARIABLES:
        [line] = [line for line in PAGE.splitlines() if line.startswith(f"| `{variable.name}` ")]
        assert (f"`{variable.environment}`" in line) == bool(variable.environment)
        flags = {flag for flag in re.findall(r"`(--[a-z-]+)`", line)}
        known = {o for name in ORIGINAL if name for o in options(ours(name))} | options(ours("train get"))
        assert flags <= known
