"""The init container `prepare` of the step `train`: check the training and write its launch.

It runs in the runner image. The training's image, in which the launch then runs, needs nothing of odahu-argo.
"""

from __future__ import annotations

from odahu_argo.contract import TrainSpec, Workspace
from odahu_argo.errors import UserError
from odahu_argo.steps.output import empty_output
from odahu_argo.steps.runtime import environment, working_directory
from odahu_argo.steps.toolchain import find_toolchain
from odahu_argo.steps.train import require_repository


def run(spec: TrainSpec, workspace: Workspace) -> None:
    """Check the training with its toolchain, and write the launch to the workspace.

    Raises:
        UserError: The toolchain runs in the training's image only, the repository is missing, or the training is wrong.
        ServiceFault: The disk failed.
    """
    toolchain = find_toolchain(spec.trainer)
    prepare = getattr(toolchain, "prepare", None)
    if prepare is None:
        raise UserError(f"toolchain {spec.trainer!r} has no preparation", hint="run the step train in the same image")
    require_repository(spec, workspace)
    empty_output(workspace)
    with environment(spec.environment), working_directory(workspace.repository):
        prepare(spec, workspace, in_other_image=True)
