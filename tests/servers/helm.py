"""Helm, the package manager."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.servers.programs import require_program

INSTALLED = Path(__file__).parents[2] / "build/helm/bin"
"""The directory in which .ci/run installs Helm."""


class Helm:
    """The program with a separate home directory."""

    def __init__(self, program: str, home: Path):
        self.program = program
        self.environment = {"HOME": str(home), "PATH": "/usr/bin:/bin"}

    def run(self, *arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
        command = [self.program, *map(str, arguments)]
        return subprocess.run(command, env=self.environment | environment, capture_output=True, text=True)

    def template(self, chart: Path, values: dict[str, Any], home: Path, namespace: str = "ml") -> str:
        """Return the manifests of the chart rendered with these values."""
        file = home / "custom-values.yaml"
        file.write_text(json.dumps(values))
        completed = self.run("template", "mlflow", chart, "--namespace", namespace, "--values", file)
        assert completed.returncode == 0, completed.stderr
        return completed.stdout


@pytest.fixture
def helm(tmp_path: Path) -> Helm:
    return Helm(shutil.which("helm", path=str(INSTALLED)) or require_program("helm"), tmp_path)
