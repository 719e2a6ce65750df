"""The launcher runs under the Python of the user's environment, from Python 3.6 on."""

from __future__ import annotations

import ast
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from odahu_argo.contract import TrainSpec, Workspace
from odahu_argo.steps.mlflow.toolchains import mlflow_project_toolchain
from tests.conftest import ROOT
from tests.servers.mlflow_project import write_project

FILES = [*(ROOT / "odahu_argo" / "launcher").glob("*.py"), ROOT / "odahu_argo" / "uri.py"]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_parses_with_grammar_of_python_3_6(file: Path) -> None:
    ast.parse(file.read_text("utf-8"), feature_version=(3, 6))
    assert "from __future__ import annotations" not in file.read_text("utf-8")


def other_pythons() -> list[str]:
    found = []
    for minor in (6, 7, 8, 9, 10, 12, 13, 14):
        program = shutil.which(f"python3.{minor}")
        if program and subprocess.run([program, "-c", ""], capture_output=True).returncode == 0:
            found.append(program)
    return [*found[:1], *found[1:][-1:]] or [sys.executable]


@pytest.mark.parametrize("python", other_pythons())
def test_python_without_mlflow_is_user_error(python: str, tmp_path: Path) -> None:
    workspace = Workspace(tmp_path / "workspace", tmp_path, tmp_path / "message")
    write_project(workspace.repository)
    spec = TrainSpec("wine", "wine", "1", "project", "fail", trainer="mlflow-project")
    mlflow_project_toolchain.prepare(spec, workspace)
    launch = workspace.root / "launch"
    environment = {"MLFLOW_TRACKING_URI": "http://127.0.0.1:1", "ODAHU_ARGO_MESSAGE": str(tmp_path / "message")}
    command = [python, "-S", str(launch / "launcher.pyz"), str(launch / "launch.json")]
    ended = subprocess.run(command, env=environment, capture_output=True, text=True)
    message = workspace.message.read_text()
    assert ended.returncode == 2, ended.stdout + ended.stderr
    assert message.startswith("MLflow is not installed for "), message
    assert f"train: failed: {message.splitlines()[0]}" in ended.stdout
    assert json.loads((launch / "launch.json").read_text())["environment"] is None
