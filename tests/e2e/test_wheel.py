"""The installed wheel works without the repository."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

from tests.conftest import EXAMPLES, ROOT


def test_wheel_compiles_and_contains_templates(tmp_path: Path) -> None:
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(tmp_path), str(ROOT)]
    subprocess.run(build, check=True, capture_output=True)
    [wheel] = tmp_path.glob("*.whl")
    site = tmp_path / "site"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)

    def run(*arguments: str) -> str:
        command = [sys.executable, "-P", "-m", "odahu_argo", *arguments]
        environment = {**os.environ, "PYTHONPATH": str(site)}
        return subprocess.run(command, cwd=site, env=environment, check=True, capture_output=True, text=True).stdout

    assert "workflowtaskresults" in run("setup", "--namespace", "ml")
    run("setup", "mlflow", "--chart", str(tmp_path / "chart"))
    assert (tmp_path / "chart" / "values.schema.json").exists() and (tmp_path / "chart" / "templates").is_dir()
    example = EXAMPLES / "01-wine-quality"
    files = [part for name in ("training", "connections") for part in ("-f", str(example / f"{name}.yaml"))]
    assert run("compile", *files) == (example / "golden" / "workflow.yaml").read_text(encoding="utf-8")
    shown = "import odahu_argo; print(odahu_argo.__file__)"
    command = [sys.executable, "-P", "-c", shown]
    where = subprocess.run(
        command, env={**os.environ, "PYTHONPATH": str(site)}, check=True, capture_output=True, text=True
    )
    assert str(site) in where.stdout
