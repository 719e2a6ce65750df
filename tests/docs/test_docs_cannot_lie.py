"""Documentation held against the program: README commands are run, every setting, field, option and exit code is told."""

from __future__ import annotations

import inspect
import json
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml
from pydantic import BaseModel

from odahu_argo import errors
from odahu_argo.cli.tree import tree
from odahu_argo.document import parse
from odahu_argo.manifest.models import Connection, ModelTraining, ToolchainIntegration
from odahu_argo.profile import Profile
from odahu_argo.validation import validate
from tests.conftest import EXAMPLES, ROOT

DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", *sorted(DOCS.glob("*.md")), *sorted(EXAMPLES.glob("*/README.md"))]


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


def shown_commands() -> list[str]:
    lines = [line for page in PAGES for block in blocks(page, "console") for line in block.splitlines()]
    return [line.removeprefix("$ ") for line in lines if line.startswith("$ .venv/bin/odahu-argo ")]


def test_there_are_commands_to_run() -> None:
    assert len(shown_commands()) >= 5


@pytest.mark.parametrize("command", shown_commands())
def test_a_command_of_the_docs_works(command: str, tmp_path: Path) -> None:
    arguments = [str(tmp_path) if a == "build/workflows" else a for a in shlex.split(command)[1:]]
    process = [sys.executable, "-m", "odahu_argo", *arguments]
    ended = subprocess.run(process, cwd=ROOT, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout or list(tmp_path.iterdir())


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_a_link_leads_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\((?!https?://)([^)#]+)", page.read_text(encoding="utf-8")):
        assert (page.parent / target).exists(), target


def test_the_profile_that_is_printed_is_the_default() -> None:
    [text] = blocks(DOCS / "profile.md", "yaml")
    [document] = parse(text, "profile.md")
    profile, problems = validate(Profile, document)
    assert problems == []
    assert profile == Profile()
    assert keys(yaml.safe_load(text)) == keys(Profile().model_dump())


def keys(value: object) -> object:
    """The setting names, as deep as they are the profile's own (selectors, tolerations and amounts are the user's)."""
    if not isinstance(value, dict):
        return None
    own = {"limits", "requests", "node_selector", "tolerations"}
    return {k: None if k in own else keys(v) for k, v in value.items()}


@pytest.mark.parametrize("manifest", [ModelTraining, Connection, ToolchainIntegration])
def test_every_field_of_a_manifest_is_told(manifest: type[BaseModel]) -> None:
    page = (DOCS / "manifests.md").read_text(encoding="utf-8")
    spec = manifest.model_fields["spec"].annotation
    assert isinstance(spec, type)
    assert issubclass(spec, BaseModel)
    names = {field.alias or name for model in (manifest, spec) for name, field in model.model_fields.items()}
    missing = {name for name in names - {"kind", "spec"} if not re.search(rf"`(spec\.)?{name}[`.\[]", page)}
    assert missing == set()


@pytest.mark.parametrize(("language", "file"), [("toml", "pyproject.toml"), ("python", "least_squares.py")])
def test_the_toolchain_that_is_printed_is_the_one_that_trains(language: str, file: str) -> None:
    [printed] = blocks(DOCS / "toolchains.md", language)
    assert printed == (ROOT / "tests" / "data" / "least-squares" / file).read_text(encoding="utf-8")


GENERATED = "<!-- What follows is written by `make goldens`. -->\n"


def test_the_command_line_reference_is_what_help_says(request: pytest.FixtureRequest) -> None:
    page = DOCS / "cli.md"
    by_hand = page.read_text(encoding="utf-8").partition(GENERATED)[0]
    expected = by_hand + GENERATED + "".join(sections(typer.main.get_command(tree()), ()))
    if request.config.getoption("--update-goldens"):
        page.write_text(expected, encoding="utf-8")
    assert page.read_text(encoding="utf-8") == expected


def sections(command: Any, path: tuple[str, ...]) -> Iterator[str]:
    """A section of Markdown for each command below this one."""
    for name, inner in getattr(command, "commands", {}).items():
        if not inner.hidden:
            if getattr(inner, "invoke_without_command", True):
                yield section(inner, (*path, name))
            yield from sections(inner, (*path, name))


def section(command: Any, path: tuple[str, ...]) -> str:
    purpose, _, example = inspect.cleandoc(command.help).partition("Example: ")
    text = f"\n## {' '.join(path)}\n\n{purpose.strip()}\n\n```sh\n{example.strip()}\n```\n\n| option | |\n|---|---|\n"
    for parameter in command.params:
        if parameter.hidden:
            continue
        names = ", ".join(f"`{name}`" for name in [*parameter.opts, *parameter.secondary_opts])
        default = parameter.default if isinstance(parameter.default, str) and parameter.default else None
        told = parameter.help + (f" Default: `{default}`." if default else "")
        text += f"| {names} | {told.replace('|', chr(92) + '|')} |\n"
    return text


def test_every_exit_code_is_told() -> None:
    page = (DOCS / "cli.md").read_text(encoding="utf-8")
    known = [errors.OdahuArgoError, *errors.OdahuArgoError.__subclasses__()]
    for code in {0, 130, *(error.exit_code for error in known)}:
        assert re.search(rf"^\| {code} \|", page, re.MULTILINE), code


def test_the_changelog_is_there_for_this_version() -> None:
    assert "## Unreleased" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def test_the_table_of_routes_is_the_openapi_document() -> None:
    """One route stands there to say that there is none."""
    from odahu_argo.server.app import build_app
    from odahu_argo.server.guard import Guard
    from odahu_argo.server.source import Source

    nothing: Any = None
    document = build_app(Source(nothing, nothing, nothing, nothing), Guard()).openapi()
    known = {f"{method.upper()} {path}" for path, methods in document["paths"].items() for method in methods}
    page = (DOCS / "server.md").read_text(encoding="utf-8")
    told = set(
        re.findall(r"`((?:GET|POST|PUT|DELETE) /[^`]*)`", page.partition("## Routes")[2].partition("Errors are")[0])
    )
    apart = {"GET /openapi.json", "GET /swagger/index.html", "PUT /api/v1/model/training/{id}/result"}
    assert told - apart == known


def test_the_table_of_mlflows_values_is_the_charts() -> None:
    def leaves(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
        for name, inner in value.items():
            if isinstance(inner, dict) and inner:
                yield from leaves(inner, f"{path}{name}.")
            else:
                yield f"{path}{name}", inner if isinstance(inner, str) and inner else json.dumps(inner)

    values = yaml.safe_load((ROOT / "templates" / "chart" / "values.yaml").read_text(encoding="utf-8"))
    table = (DOCS / "mlflow.md").read_text(encoding="utf-8").partition("## Values")[2].partition("\n## ")[0]
    assert dict(re.findall(r"^\| `([^`]+)` \| `([^`]*)` \|", table, re.MULTILINE)) == dict(leaves(values))
