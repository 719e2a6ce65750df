"""Steps in a temporary workspace, run in the test's process or as a separate process."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

import pytest

from odahu_argo import contract
from odahu_argo.contract import StepSpec, TrainSpec, Workspace, spec_to_json


@dataclass(frozen=True)
class EndedStep:
    """Exit code, output and termination message of a step."""

    code: int
    log: str
    message: str


@dataclass(frozen=True)
class StepRunner:
    """Runs steps in one workspace."""

    workspace: Workspace

    @property
    def repository(self) -> Path:
        return self.workspace.repository

    def connect(self, name: str, fields: Mapping[str, str]) -> None:
        """Write a connection as its mounted Secret."""
        folder = self.workspace.connections / name
        folder.mkdir(parents=True)
        for field, value in fields.items():
            (folder / field).write_text(value)

    def run(self, spec: StepSpec) -> None:
        """Run the step in this process."""
        import_module(f"odahu_argo.steps.{spec.kind}").run(spec, self.workspace)

    def remove_markers(self) -> None:
        """Let finished steps run again."""
        shutil.rmtree(self.workspace.completed, ignore_errors=True)

    def run_process(self, spec: StepSpec, **environment: str) -> EndedStep:
        """Run the step as a process, like a pod."""
        return self._end(self.command(spec), self.environment(spec) | environment)

    def prepare(self, spec: TrainSpec, **environment: str) -> EndedStep:
        """Run the init container of the step train."""
        command = [*self.command(spec)[:-1], contract.PREPARE]
        return self._end(command, self.environment(spec) | environment)

    def start(self, **environment: str) -> EndedStep:
        """Run the container of the training's image, which knows the launch only."""
        variables = {"PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin"}
        variables[contract.MESSAGE_VARIABLE] = str(self.workspace.message)
        return self._end(["/bin/sh", str(self.workspace.root / "launch" / "start.sh")], variables | environment)

    def _end(self, command: list[str], environment: Mapping[str, str]) -> EndedStep:
        completed = subprocess.run(command, env=environment, capture_output=True, text=True)
        message = self.workspace.message.read_text() if self.workspace.message.is_file() else ""
        return EndedStep(completed.returncode, completed.stdout + completed.stderr, message)

    def command(self, spec: StepSpec) -> list[str]:
        return [sys.executable, "-m", contract.MODULE, spec.kind]

    def environment(self, spec: StepSpec) -> dict[str, str]:
        return {
            **os.environ,
            contract.STEP_VARIABLE: spec_to_json(spec),
            contract.WORKSPACE_VARIABLE: str(self.workspace.root),
            contract.CONNECTIONS_VARIABLE: str(self.workspace.connections),
            contract.MESSAGE_VARIABLE: str(self.workspace.message),
        }


@pytest.fixture
def step_runner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StepRunner:
    """Runner with an empty workspace, without the git and AWS settings of this machine's user."""
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for name in (
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_PROFILE",
        "AWS_REGION",
        "AWS_DEFAULT_REGION",
        "SSH_AUTH_SOCK",
    ):
        monkeypatch.delenv(name, raising=False)
    workspace = tmp_path / "workspace"
    workspace.mkdir()
    return StepRunner(Workspace(workspace, tmp_path / "connections", tmp_path / "message"))
