"""The catalogue of messages: what each broken manifest in messages/ is told. `make goldens` writes it anew; read it then."""

from __future__ import annotations

import json

import pytest

from tests.commands import Ran, odahu_argo
from tests.conftest import ROOT

FOLDER = ROOT / "tests" / "golden" / "messages"
CATALOGUE = FOLDER / "catalogue.txt"
BROKEN = sorted(FOLDER.glob("*.yaml"))


def told(name: str, *options: str) -> Ran:
    return odahu_argo("compile", "-f", name, *options, cwd=FOLDER)


def test_each_broken_manifest_is_told_what_the_catalogue_says(request: pytest.FixtureRequest) -> None:
    sections = []
    for file in BROKEN:
        ran = told(file.name)
        assert (ran.code, ran.out) == (2, ""), file.name
        assert "Traceback" not in ran.err
        sections.append(f"# {file.stem}\n{ran.err}")
    catalogue = "\n".join(sections)
    if request.config.getoption("--update-goldens"):
        CATALOGUE.write_text(catalogue, encoding="utf-8")
    assert catalogue == CATALOGUE.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["bad-quantity.yaml", "syntax.yaml"])
def test_the_same_is_told_as_data(name: str) -> None:
    ran = told(name, "-o", "json")
    assert (ran.code, ran.out) == (2, "")
    problems = json.loads(ran.err)["problems"]
    assert [sorted(problem) for problem in problems] == [["field", "file", "hint", "line", "message"]] * len(problems)
    for problem in problems:
        assert problem["file"] == name
        assert f"{problem['file']}:{problem['line']}" in told(name).err
        assert problem["message"] in told(name).err
