"""README and docs against the program: console blocks run, links resolve, every setting, field and route is documented."""

from __future__ import annotations

import json
import pkgutil
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml
from pydantic import BaseModel

from odahu_argo.document import parse
from odahu_argo.manifest.models import Connection, ModelTraining, ToolchainIntegration
from odahu_argo.profile import Profile, parse_profile
from odahu_argo.validation import validate
from tests.conftest import EXAMPLES, ROOT

DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", *sorted(DOCS.rglob("*.md")), *sorted(EXAMPLES.glob("*/README.md"))]


def code_blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


def console_commands() -> list[str]:
    lines = [line for page in PAGES for block in code_blocks(page, "console") for line in block.splitlines()]
    return [line.removeprefix("$ ") for line in lines if line.startswith("$ .venv/bin/odahu-argo ")]


def test_docs_contain_console_commands() -> None:
    assert len(console_commands()) >= 5


@pytest.mark.parametrize("command", console_commands())
def test_console_command_succeeds(command: str, tmp_path: Path) -> None:
    arguments = [str(tmp_path) if word == "build/workflows" else word for word in shlex.split(command)[1:]]
    process = [sys.executable, "-m", "odahu_argo", *arguments]
    result = subprocess.run(process, cwd=ROOT, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert result.stdout or list(tmp_path.iterdir())


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_resolve(page: Path) -> None:
    for target, anchor in re.findall(r"\]\((?!https?://)([^)#]*)#?([^)]*)\)", page.read_text(encoding="utf-8")):
        path = page.parent / target if target else page
        assert path.exists(), target
        assert not anchor or anchor in anchors(path), f"{target}#{anchor}"


def anchors(page: Path) -> set[str]:
    """Anchors that GitHub derives from the headings of a page."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_paths_to_docs_in_code_exist() -> None:
    """Help texts and hints refer to pages by path from the repository's root."""
    files = [*(ROOT / "odahu_argo").rglob("*.py"), *(p for p in (ROOT / "templates").rglob("*") if p.is_file())]
    paths = {path for file in files for path in re.findall(r"docs/[a-z/-]+\.md", file.read_text(encoding="utf-8"))}
    assert len(paths) >= 5
    assert {path for path in paths if not (ROOT / path).is_file()} == set()


def inline_code(pattern: str) -> set[str]:
    """Matches of a pattern at the start of inline code in all pages."""
    return {match for page in PAGES for match in re.findall(rf"`({pattern})", page.read_text(encoding="utf-8"))}


def test_documented_files_exist() -> None:
    files = inline_code(r"[\w.-]+/[\w./-]+\.(?:py|j2|js)")
    assert len(files) >= 5
    assert {file for file in files if not any((root / file).is_file() for root in (ROOT, ROOT / "odahu_argo"))} == set()


def test_documented_python_names_exist() -> None:
    names = inline_code(r"odahu_argo(?:\.\w+)+") - {"odahu_argo.toolchains"}  # the group of entry points
    assert len(names) >= 5
    for name in names:
        pkgutil.resolve_name(name)


def test_documented_profile_equals_the_default() -> None:
    text, *examples = code_blocks(DOCS / "reference" / "profile.md", "yaml")
    assert all(parse_profile(example, "profile.md") for example in examples)
    [document] = parse(text, "profile.md")
    profile, problems = validate(Profile, document)
    assert problems == []
    assert profile == Profile()
    assert setting_names(yaml.safe_load(text)) == setting_names(Profile().model_dump())


def setting_names(value: object) -> object:
    """Nested setting names, without keys that the user chooses (resource amounts, selectors, tolerations).

    A list with one pool equals the pool.
    """
    if isinstance(value, tuple) and len(value) == 1:
        return setting_names(value[0])
    if not isinstance(value, dict):
        return None
    free_form = {"limits", "requests", "node_selector", "tolerations"}
    return {name: None if name in free_form else setting_names(inner) for name, inner in value.items()}


@pytest.mark.parametrize("manifest", [ModelTraining, Connection, ToolchainIntegration])
def test_every_manifest_field_is_documented(manifest: type[BaseModel]) -> None:
    page = (DOCS / "reference" / "manifests.md").read_text(encoding="utf-8")
    documented = {word for code in re.findall(r"`([^`\n]+)`", page) for word in re.findall(r"\w+", code)}
    assert field_names(manifest) - {"kind", "spec"} <= documented


def field_names(model: type[BaseModel]) -> set[str]:
    """Field names of a model and of the models in its fields, except for the status, which is not read."""
    names = set()
    for name, field in model.model_fields.items():
        names.add(field.alias or name)
        for annotation in (field.annotation, *get_args(field.annotation)):
            if name != "status" and isinstance(annotation, type) and issubclass(annotation, BaseModel):
                names |= field_names(annotation)
    return names


@pytest.mark.parametrize(("language", "file"), [("toml", "pyproject.toml"), ("python", "least_squares.py")])
def test_documented_toolchain_equals_the_tested_one(language: str, file: str) -> None:
    [block] = code_blocks(DOCS / "guides" / "custom-toolchain.md", language)
    assert block == (ROOT / "tests" / "data" / "least-squares" / file).read_text(encoding="utf-8")


def test_documented_routes_equal_the_openapi_document() -> None:

    from types import SimpleNamespace

    from odahu_argo.server.app import build_app
    from odahu_argo.server.auth import Guard

    backend: Any = SimpleNamespace(info=SimpleNamespace(location=""), trainings=None, connections=None, toolchains=None)
    document = build_app(backend, Guard()).openapi()
    routes = {f"{method.upper()} {path}" for path, methods in document["paths"].items() for method in methods}
    table = section(DOCS / "reference" / "api.md", "Routes")
    documented = set(re.findall(r"`((?:GET|POST|PUT|DELETE) /[^`]*)`", table))
    # Served outside of the schema, and documented as not supported.
    exceptions = {"GET /openapi.json", "GET /swagger/index.html", "PUT /api/v1/model/training/{id}/result"}
    assert documented - exceptions == routes


def test_documented_mlflow_values_equal_the_charts_defaults() -> None:
    def leaves(values: Any, path: str = "") -> Iterator[tuple[str, str]]:
        for name, value in values.items():
            if isinstance(value, dict) and value:
                yield from leaves(value, f"{path}{name}.")
            else:
                yield f"{path}{name}", value if isinstance(value, str) and value else json.dumps(value)

    values = yaml.safe_load((ROOT / "templates" / "chart" / "values.yaml").read_text(encoding="utf-8"))
    table = section(DOCS / "reference" / "mlflow-values.md", "Values")
    assert dict(re.findall(r"^\| `([^`]+)` \| `([^`]*)` \|", table, re.MULTILINE)) == dict(leaves(values))


def section(page: Path, heading: str) -> str:
    """Text below a second-level heading, up to the next one."""
    return page.read_text(encoding="utf-8").partition(f"## {heading}\n")[2].partition("\n## ")[0]
