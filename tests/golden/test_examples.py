"""Golden files of the examples. To update them, run `pytest tests/golden --update-goldens`."""

from __future__ import annotations

import difflib
from pathlib import Path

import pytest

from tests.commands import odahu_argo
from tests.conftest import ROOT, Example

GOLDENS = {
    "workflow.yaml": ["compile"],
    "workflow.json": ["compile", "-o", "json"],
    "plan.txt": ["plan"],
    "dag.mmd": ["plan", "-o", "mermaid"],
}


@pytest.mark.parametrize("name", GOLDENS)
def test_example_matches_golden_file(example: Example, name: str, request: pytest.FixtureRequest) -> None:
    ran = odahu_argo(*GOLDENS[name], *example.arguments, cwd=ROOT)
    assert ran.code == 0, ran.err
    golden = example.folder / "golden" / name
    if request.config.getoption("--update-goldens"):
        golden.parent.mkdir(exist_ok=True)
        golden.write_text(ran.out, encoding="utf-8")
    assert ran.out == golden.read_text(encoding="utf-8"), difference(golden, ran.out)


def test_rendered_example_matches_golden_directory(example: Example, request: pytest.FixtureRequest) -> None:
    folder = example.folder / "golden" / "rendered"
    if request.config.getoption("--update-goldens"):
        odahu_argo("render", *example.arguments, "-o", folder, "--overwrite", cwd=ROOT)
    ran = odahu_argo("render", *example.arguments, "-o", folder, "--check", cwd=ROOT)
    assert ran.code == 0, ran.out


def test_gitops_example_is_up_to_date(request: pytest.FixtureRequest) -> None:
    repository = ROOT / "examples" / "04-gitops"
    options = ("-d", "manifests", "--profile", "profile.yaml", "-o", "deploy")
    if request.config.getoption("--update-goldens"):
        odahu_argo("render", *options, "--overwrite", cwd=repository)
    ran = odahu_argo("render", *options, "--check", cwd=repository)
    assert ran.code == 0, ran.out


def test_directory_compiles_like_its_files(example: Example, tmp_path: Path) -> None:
    profile = [a for a in example.arguments if a.endswith("profile.yaml")]
    manifests = [p for p in example.folder.glob("*.yaml") if p.name != "profile.yaml"]
    for manifest in manifests:
        (tmp_path / manifest.name).write_bytes(manifest.read_bytes())
    options = ["--profile", *profile] if profile else []
    ran = odahu_argo("compile", "-d", tmp_path, *options)
    assert ran.code == 0, ran.err
    assert ran.out == (example.folder / "golden" / "workflow.yaml").read_text(encoding="utf-8")


def difference(golden: Path, now: str) -> str:
    lines = difflib.unified_diff(golden.read_text(encoding="utf-8").splitlines(), now.splitlines(), str(golden), "now")
    return "\n".join(lines)
