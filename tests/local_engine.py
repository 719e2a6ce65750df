"""Local runs with fake steps: a home, a manifest with two downloads, and a log of the steps that ran."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import psutil
import pytest

from odahu_argo import build_plans, load, resolve
from odahu_argo.local.engine import run
from odahu_argo.local.events import StepEvent
from odahu_argo.local.home import Home
from odahu_argo.local.signals import TerminationSignals
from odahu_argo.local.store import LocalTraining
from odahu_argo.profile import Profile
from tests.commands import CommandResult
from tests.manifests import training, write

FAKE_STEPS = Path(__file__).parent / "unit" / "local" / "fake"
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
class LocalEngine:
    """The local engine with fake steps, in `folder`."""

    folder: Path
    monkeypatch: pytest.MonkeyPatch
    events: list[StepEvent] = field(default_factory=list)
    after_event: Callable[[], object] = lambda: None

    @property
    def home(self) -> Home:
        return Home(self.folder / "home")

    def set_actions(self, **actions: list[str]) -> None:
        """Set what each fake step does, by step name with `_` for `-`; see fake/fake_steps.py for the actions."""
        by_step = {name.replace("_", "-"): lines for name, lines in actions.items()}
        self.monkeypatch.setenv("FAKE_STEPS", json.dumps(by_step))

    def manifest(self, connections: str = CONNECTIONS, **spec: Any) -> Path:
        data = [{"connName": name, "localPath": "data/"} for name in ("a", "b")]
        return write(self.folder, training(**{"data": data, **spec}), connections=connections)

    def run(
        self,
        profile: Profile | None = None,
        *,
        resume: bool = False,
        output_dir: Path | None = None,
        signals: TerminationSignals | None = None,
        **spec: Any,
    ) -> LocalTraining:
        """Run the training in this process."""
        settings = profile or Profile()
        [resolved] = resolve(load([self.manifest(**spec)]), settings)
        [plan] = build_plans([resolved], settings)
        return run(
            plan,
            resolved.connections,
            self.home,
            output_dir=output_dir,
            resume=resume,
            listener=self._on_event,
            module="fake_steps",
            signals=signals,
        )

    def _on_event(self, event: StepEvent) -> None:
        self.events.append(event)
        self.after_event()

    def start(self, *arguments: object) -> subprocess.Popen[str]:
        """Start `odahu-argo local train` with these arguments."""
        command = [sys.executable, str(FAKE_STEPS / "command_line.py"), "local", "train", *map(str, arguments)]
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, encoding="utf-8")

    def command(self, *arguments: object) -> CommandResult:
        """Run `odahu-argo local train` with these arguments."""
        return wait_for_exit(self.start(*arguments))

    def trace(self) -> list[tuple[str, str, float]]:
        """Return the starts and ends of steps: `started` or `ended`, step name, time."""
        file = self.folder / "trace"
        lines = file.read_text().splitlines() if file.exists() else []
        return [(event, name, float(at)) for event, name, at in (line.split() for line in lines)]

    def started_steps(self) -> list[str]:
        return [name for event, name, _ in self.trace() if event == "started"]

    def all_file_content(self) -> bytes:
        return b"".join(file.read_bytes() for file in self.home.root.rglob("*") if file.is_file())


@pytest.fixture
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LocalEngine:
    """The engine with fake steps, a temporary folder of its own, and MLflow's tracking store marked as prepared."""
    (tmp_path / "tmp").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    monkeypatch.setattr("tempfile.tempdir", None)
    monkeypatch.setenv("ODAHU_ARGO_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("FAKE_TRACE", str(tmp_path / "trace"))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(FAKE_STEPS), str(Path.cwd())]))
    engine = LocalEngine(tmp_path, monkeypatch)
    engine.home.root.mkdir()
    engine.home.tracking_version_file.write_text(version("mlflow"))
    return engine


def step_states(training: LocalTraining) -> dict[str, str]:
    return {step.name: step.state for step in training.steps}


def wait_until(condition: Callable[[], object], timeout: float = 120) -> None:
    deadline = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > deadline:
            pytest.fail(f"condition not met within {timeout} s")
        time.sleep(0.05)


def wait_for_exit(process: subprocess.Popen[str]) -> CommandResult:
    out, err = process.communicate(timeout=150)
    return CommandResult(process.returncode, out, err)


def processes_with_argument(argument: str) -> list[psutil.Process]:
    return [process for process in psutil.process_iter(["cmdline"]) if argument in (process.info["cmdline"] or [])]
