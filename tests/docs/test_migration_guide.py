"""docs/guides/migrating.md against the commands and flags of odahuflowctl 1.6.1, and against the program."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from odahu_argo.cli.app import build_command
from odahu_argo.cli.config_file import VARIABLES
from tests.commands import odahu_argo
from tests.conftest import ROOT

PAGE = (ROOT / "docs" / "guides" / "migrating.md").read_text(encoding="utf-8")
ODAHUFLOWCTL: dict[str, list[str]] = json.loads(
    (ROOT / "tests" / "data" / "odahuflowctl-1.6.1.json").read_text(encoding="utf-8")
)
"""Flags by command, extracted from the click commands of odahu-flow-cli 1.6.1 that concern trainings."""
ALIASES = {"training": "train", "connection": "conn", "toolchain-integration": "ti", "config": "conf"}


def table_rows() -> dict[str, tuple[set[str], set[str]]]:
    """Supported and unsupported flags by command, from the table of the guide."""
    rows: dict[str, tuple[set[str], set[str]]] = {}
    for line in PAGE.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if len(cells) == 4 and re.fullmatch(r"`[-a-z ]+`", cells[0]):
            name = cells[0].strip("`").removeprefix("odahuflowctl")
            assert name not in rows
            rows[name] = (set(re.findall(r"`([^`]+)`", cells[1])), set(re.findall(r"`([^`]+)`", cells[2])))
    return rows


def find_command(name: str) -> Any:
    command: Any = build_command()
    for word in name.split():
        command = command.commands[word]
    return command


def option_names(command: Any) -> set[str]:
    names = {name for parameter in command.params for name in [*parameter.opts, *parameter.secondary_opts]}
    return {name for name in names if name.startswith("-")}


def test_table_lists_every_command_and_flag_of_odahuflowctl() -> None:
    rows = table_rows()
    assert rows.keys() == ODAHUFLOWCTL.keys()
    for name, (supported, unsupported) in rows.items():
        assert supported | unsupported == set(ODAHUFLOWCTL[name]), name
        assert not supported & unsupported


@pytest.mark.parametrize("name", table_rows())
def test_commands_accept_exactly_the_supported_flags(name: str) -> None:
    supported, unsupported = table_rows()[name]
    for spelling in {name, " ".join(ALIASES.get(word, word) for word in name.split())}:
        assert supported <= option_names(find_command(spelling))
        assert not unsupported & option_names(find_command(spelling))


@pytest.mark.parametrize("name", [name for name in table_rows() if not hasattr(find_command(name), "commands")])
def test_help_shows_an_example(name: str) -> None:
    assert re.search(r"Example: .*odahu-argo ", find_command(name).help)


@pytest.mark.parametrize(
    ("arguments", "code", "output"),
    [
        ("--non-verbose -h", 0, "Usage: odahu-argo"),
        ("login --token secret-of-mine-0123", 2, "kubectl config get-contexts"),
        ("login --url http://127.0.0.1:1 --token secret-of-mine-0123", 3, "cannot log in: no response"),
        ("version", 0, "odahu-argo "),
        ("conf path", 0, "config"),
        ("config set MODEL_HOST https://odahu.example.org", 2, "Variable 'MODEL_HOST' is unknown"),
        ("local training cleanup-containers", 0, "no containers"),
        ("train --issuer-url https://idp.example.org get", 2, "No such option"),
    ],
)
def test_documented_differences(arguments: str, code: int, output: str) -> None:
    result = odahu_argo(*arguments.split())
    assert result.code == code, result.err
    assert output in result.out + result.err
    assert (output in result.err) == (code != 0 or arguments == "local training cleanup-containers")
    assert "secret-of-mine" not in result.out + result.err


def test_config_variables_are_documented_with_their_option() -> None:
    for variable in VARIABLES:
        [line] = [line for line in PAGE.splitlines() if line.startswith(f"| `{variable.name}` ")]
        assert (f"`{variable.environment}`" in line) == bool(variable.environment)
        flags = set(re.findall(r"`(--[a-z-]+)`", line))
        known = {o for name in ODAHUFLOWCTL if name for o in option_names(find_command(name))}
        assert flags <= known | option_names(find_command("train get"))
