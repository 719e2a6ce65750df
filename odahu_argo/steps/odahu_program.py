"""Toolchains of ODAHU: programs that are called as ODAHU's operator called them.

The protocol is `ENTRYPOINT --verbose --mt mt.json --target DIRECTORY` in the root of the repository; `mt.json` describes the
training (odahu-flow: `operator/controllers/modeltraining_pipeline.go`, `pkg/trainer/edi.go`). What the program leaves in the
directory is packed as it is. Its `odahuflow.project.yaml` contains the run ID.
"""

from __future__ import annotations

import json
import shlex
import uuid
from pathlib import Path
from typing import Any

import yaml

from odahu_argo.contract import LAUNCH_DIRECTORY, RUN_ID, PackageSpec, TrainSpec, Workspace
from odahu_argo.errors import UserError
from odahu_argo.steps import output
from odahu_argo.steps.launch import run_start, write_start
from odahu_argo.steps.runtime import log
from odahu_argo.storage.disk import disk_errors


class OdahuProgram:
    """The toolchain whose entrypoint is the path `program` in the training's image."""

    def __init__(self, program: str) -> None:
        self._program = program

    def prepare(self, spec: TrainSpec, workspace: Workspace, in_other_image: bool = False) -> None:
        """Write `mt.json`, the variables and the program's path for `start.sh`.

        Raises:
            ServiceFault: The disk failed.
        """
        log("train", f"writing mt.json for {self._program}")
        variables = "".join(f"export {name}={shlex.quote(value)}\n" for name, value in spec.environment.items())
        directory = workspace.root / LAUNCH_DIRECTORY
        with disk_errors(directory):
            write_start(workspace)
            (directory / "mt.json").write_text(json.dumps(spec.manifest), "utf-8")
            (directory / "variables.sh").write_text(variables, "utf-8")
            (directory / "program").write_text(self._program, "utf-8")

    def train(self, spec: TrainSpec, workspace: Workspace) -> None:
        """Run the program, and record its run ID.

        Raises:
            UserError: The program does not exist, failed, or left no `odahuflow.project.yaml`.
            StepStopped: SIGTERM was received.
        """
        self.prepare(spec, workspace)
        run_start(workspace)
        self.record_run(workspace)

    def record_run(self, workspace: Workspace) -> None:
        """Record the run ID that the program wrote, or a random one. In a pod, `package` does this after `train`.

        Raises:
            UserError: There is no readable `odahuflow.project.yaml`.
        """
        run_id = _read_project_file(workspace.output).get("output") or {}
        value = run_id.get("run_id") if isinstance(run_id, dict) else None
        if value is None:
            log("train", f"{output.PROJECT_FILE} contains no output.run_id; using a random ID")
        workspace.write_result(RUN_ID, str(value or uuid.uuid4().hex))

    def fill(self, content: Path, spec: PackageSpec, workspace: Workspace) -> None:
        """Copy what the program left.

        Raises:
            UserError: The directory is missing.
            ServiceFault: The disk failed.
        """
        output.fill(content, spec, workspace)


def _read_project_file(directory: Path) -> dict[str, Any]:
    file = directory / output.PROJECT_FILE
    try:
        if file.is_symlink():
            raise ValueError("it is a symbolic link")
        project = yaml.safe_load(file.read_text("utf-8"))
        if not isinstance(project, dict):
            raise ValueError("it is not a mapping")
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise UserError(
            f"the toolchain's program left no readable {output.PROJECT_FILE} in its target directory: {error}",
            hint="ODAHU requires this file with the run ID: `output: {run_id: …}`",
        ) from error
    return project
