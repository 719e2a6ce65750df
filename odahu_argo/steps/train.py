"""The step `train`: whichever toolchain it is, what it finds and what it leaves are the same."""

from __future__ import annotations

import uuid

from odahu_argo.contract import RUN_ID, TrainSpec, Workspace
from odahu_argo.errors import UserError
from odahu_argo.steps.output import empty_output
from odahu_argo.steps.surroundings import current_directory, environment
from odahu_argo.steps.toolchain import find
from odahu_argo.storage.paths import inside


def run(spec: TrainSpec, workspace: Workspace) -> None:
    """Train by the toolchain that the specification names, with the training's environment, in the repository's root.

    A run id is left in any case: a random one where the toolchain knows none.

    Raises:
        UserError: there is no such toolchain or no checkout, or the training cannot work as it is written.
        ServiceFault: something outside failed.
    """
    toolchain = find(spec.trainer)
    inside(workspace.repository, spec.work_dir or "./", "workDir")
    if not workspace.repository.is_dir():
        raise UserError(f"there is no repository in {workspace.repository}", hint="the step checkout must run first")
    empty_output(workspace)
    with environment(spec.environment), current_directory(workspace.repository):
        toolchain.train(spec, workspace)
    if workspace.read_result(RUN_ID) is None:
        workspace.write_result(RUN_ID, uuid.uuid4().hex)
