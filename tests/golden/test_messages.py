"""Catalogue of error messages for the invalid manifests in messages/. `make goldens` updates it; review the changes."""

from __future__ import annotations

import json

import pytest

from tests.commands import CommandResult, odahu_argo
from tests.conftest import ROOT

FOLDER = ROOT / "tests" / "golden" / "messages"
CATALOGUE = FOLDER / "catalogue.txt"
INVALID = sorted(FOLDER.glob("*.yaml"))


def compile_file(name: str, *options: str) -> CommandResult:
    return odahu_argo("compile", "-f", name, *options, cwd=FOLDER)


def test_messages_match_catalogue(request: pytest.FixtureRequest) -> None:
    sections = []
    for file in INVALID:
        ran = compile_file(file.name)
        assert (ran.code, ran.out) == (2, ""), file.name
        assert "Traceback" not in ran.err
        sections.append(f"# {file.stem}\n{ran.err}")
    catalogue = "\n".join(sections)
    if request.config.getoption("--update-goldens"):
        CATALOGUE.write_text(catalogue, encoding="utf-8")
    assert catalogue == CATALOGUE.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["bad-quantity.yaml", "syntax.yaml"])
def test_problems_as_json(name: str) -> None:
    ran = compile_file(name, "-o", "json")
    assert (ran.code, ran.out) == (2, "")
    problems = json.loads(ran.err)["problems"]
    assert [sorted(problem) for problem in problems] == [["field", "file", "hint", "line", "message"]] * len(problems)
    for problem in problems:
        assert problem["file"] == name
        assert f"{problem['file']}:{problem['line']}" in compile_file(name).err
        assert problem["message"] in compile_file(name).err
