"""The step `train`: run the training with its toolchain."""

from __future__ import annotations

import uuid

from odahu_argo.contract import RUN_ID, TrainSpec, Workspace
from odahu_argo.errors import UserError
from odahu_argo.steps.output import empty_output
from odahu_argo.steps.runtime import environment, working_directory
from odahu_argo.steps.toolchain import find_toolchain
from odahu_argo.storage.paths import inside


def run(spec: TrainSpec, workspace: Workspace) -> None:
    """Train with the toolchain of the specification, in the root of the repository and with the training's environment.

    A run ID is always recorded: a random one if the toolchain has none.

    Raises:
        UserError: The toolchain or the repository is missing, or the training is wrong.
        ServiceFault: A server, the network or the disk failed.
    """
    toolchain = find_toolchain(spec.trainer)
    require_repository(spec, workspace)
    empty_output(workspace)
    with environment(spec.environment), working_directory(workspace.repository):
        toolchain.train(spec, workspace)
    if workspace.read_result(RUN_ID) is None:
        workspace.write_result(RUN_ID, uuid.uuid4().hex)


def require_repository(spec: TrainSpec, workspace: Workspace) -> None:
    """Check that the checkout exists and contains workDir.

    Raises:
        UserError: It does not.
    """
    inside(workspace.repository, spec.work_dir or "./", "workDir")
    if not workspace.repository.is_dir():
        raise UserError(f"directory {workspace.repository} does not exist", hint="run the step checkout first")
