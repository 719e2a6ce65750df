"""The same manifests and profile give the same bytes in any process and environment."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import yaml

from odahu_argo import compile_workflow
from odahu_argo.compile.emit import to_yaml
from tests.conftest import ROOT, Example
from tests.manifests import plan


def test_output_is_independent_of_environment(example: Example, tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONHASHSEED": "4711", "LC_ALL": "C", "TZ": "Asia/Kathmandu", "PYTHONUTF8": "1"}
    arguments = [str(ROOT / a) if a.endswith(".yaml") else a for a in example.arguments]
    command = [sys.executable, "-m", "odahu_argo", "compile", *arguments]
    compiled = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, check=True).stdout
    assert compiled == (example.folder / "golden" / "workflow.yaml").read_bytes()


def test_output_is_independent_of_file_order(example: Example) -> None:
    pairs = list(zip(example.arguments[::2], example.arguments[1::2], strict=True))
    reordered = [part for pair in reversed(pairs) for part in pair]
    command = [sys.executable, "-m", "odahu_argo", "compile", *reordered]
    compiled = subprocess.run(command, capture_output=True, check=True, cwd=ROOT).stdout
    assert compiled == (example.folder / "golden" / "workflow.yaml").read_bytes()


def test_output_is_independent_of_hera(tmp_path: Path) -> None:
    workflow = compile_workflow(plan(tmp_path, hyperParameters={"text": "several\nlines"}))
    before = to_yaml([workflow])
    import hera.workflows  # noqa: F401

    assert to_yaml([workflow]) == before


def test_output_parses_to_same_object(tmp_path: Path) -> None:
    workflow = compile_workflow(
        plan(tmp_path, hyperParameters={"a": "yes", "b": "1e3", "c": "ü\u2028\x7f", "d": "- x"})
    )
    assert yaml.safe_load(to_yaml([workflow])) == workflow
