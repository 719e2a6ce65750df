from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

from odahu_argo import build_plans, load, resolve
from odahu_argo.local.engine import run
from odahu_argo.local.events import StepEvent
from odahu_argo.local.home import Home
from odahu_argo.local.store import LocalTraining
from odahu_argo.profile import Profile
from tests.manifests import training, write

FAKE = Path(__file__).parent / "fake"
CONNECTIONS = """\
kind: Connection
id: code
spec: {type: git, uri: https://git.example.org/ml/code.git}
---
kind: Connection
id: a
spec: {type: s3, uri: s3://a/data/, keyID: AKIAEXAMPLE, keySecret: canary-of-connection-a}
---
kind: Connection
id: b
spec: {type: s3, uri: s3://b/data/, keySecret: Y2FuYXJ5LW9mLWNvbm5lY3Rpb24tYg==}
"""


@dataclass
class Bench:
    """A home for trainings, a training with two downloads, and the fake steps that run it."""

    folder: Path
    environment: pytest.MonkeyPatch
    events: list[StepEvent] = field(default_factory=list)

    @property
    def home(self) -> Home:
        return Home(self.folder / "home")

    def steps_do(self, **verbs: list[str]) -> None:
        named = {name.replace("_", "-"): lines for name, lines in verbs.items()}
        self.environment.setenv("FAKE_STEPS", json.dumps(named))

    def manifest(self, connections: str = CONNECTIONS, **spec: Any) -> Path:
        data = [{"connName": name, "localPath": "data/"} for name in ("a", "b")]
        return write(self.folder, training(**{"data": data, **spec}), connections=connections)

    def run(self, profile: Profile | None = None, *, resume: bool = False, **spec: Any) -> LocalTraining:
        output_dir = spec.pop("output_dir", None)
        settings = profile or Profile()
        [resolved] = resolve(load([self.manifest(**spec)]), settings)
        [plan] = build_plans([resolved], settings)
        return run(
            plan,
            resolved.connections,
            self.home,
            output_dir=output_dir,
            resume=resume,
            listener=self.events.append,
            module="fake_steps",
        )

    def command(self, *arguments: object, **options: Any) -> subprocess.Popen[str]:
        script = FAKE / "odahu_argo_with_fake_steps.py"
        command = [sys.executable, str(script), "local", "train", *map(str, arguments)]
        return subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, encoding="utf-8", **options
        )

    def trace(self) -> list[tuple[str, str, float]]:
        """What happened: began or ended, which step, when."""
        file = self.folder / "trace"
        lines = file.read_text().splitlines() if file.exists() else []
        return [(what, name, float(when)) for what, name, when in (line.split() for line in lines)]

    def began(self) -> list[str]:
        return [name for what, name, _ in self.trace() if what == "began"]

    def everything_on_disk(self) -> bytes:
        return b"".join(file.read_bytes() for file in self.home.root.rglob("*") if file.is_file())

    def states(self, training: LocalTraining) -> dict[str, str]:
        return {step.name: step.state for step in training.steps}


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    (tmp_path / "tmp").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    monkeypatch.setattr("tempfile.tempdir", None)
    monkeypatch.setenv("ODAHU_ARGO_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("FAKE_TRACE", str(tmp_path / "trace"))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(FAKE), str(Path.cwd())]))
    bench = Bench(tmp_path, monkeypatch)
    bench.home.root.mkdir()
    bench.home.tracking_version_file.write_text(version("mlflow"))
    return bench
