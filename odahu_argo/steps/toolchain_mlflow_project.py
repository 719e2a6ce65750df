"""The toolchain `mlflow-project`: an MLflow project of which no model is asked; what its program writes is the output.

As in ODAHU (its reference on trainings, "MLFlow Project toolchain"): the program finds a folder for its files in
`ODAHUFLOW_OUTPUT_DIR`, and a folder of the repository that `STATIC_ARTIFACTS_DIR` names, from workDir, is put in first.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from odahu_argo.contract import PackageSpec, TrainSpec, Workspace
from odahu_argo.errors import UserError
from odahu_argo.steps import output
from odahu_argo.steps.log import log
from odahu_argo.steps.mlflow_run import run_project
from odahu_argo.storage.paths import inside

OUTPUT_VARIABLE = "ODAHUFLOW_OUTPUT_DIR"
"""ODAHU set it whatever the training's own `envs` said."""
SHORT_VARIABLE = "OUTPUT_DIR"
"""As ODAHU's reference called it; a training may mean something else by it."""
STATIC_VARIABLE = "STATIC_ARTIFACTS_DIR"


def train(spec: TrainSpec, workspace: Workspace) -> None:
    """Copy the static files, then run the project, whose program may add to them and replace them.

    Raises:
        UserError: STATIC_ARTIFACTS_DIR leaves the repository, project or hyperparameters are wrong, or the program failed.
        ServiceFault: the tracking server, the preparation of the environment or the disk failed.
    """
    _copy_static(spec, workspace)
    short = spec.environment.get(SHORT_VARIABLE, str(workspace.output))
    _, finished = run_project(spec, workspace, {OUTPUT_VARIABLE: str(workspace.output), SHORT_VARIABLE: short})
    files = sum(1 for path in workspace.output.rglob("*") if not path.is_dir())
    if not files:
        log("train", f"warning: the program has written nothing to the folder that {OUTPUT_VARIABLE} names")
    log("train", f"done: run {finished.info.run_id} has left {files} {'file' if files == 1 else 'files'}")


def fill(content: Path, spec: PackageSpec, workspace: Workspace) -> None:
    """Put all that was written into the zip, beside ODAHU's description of it.

    Raises:
        UserError: the output folder is gone.
        ServiceFault: the disk failed.
    """
    output.fill(content, spec, workspace)
    output.write_project_file(content, spec, workspace)


def _copy_static(spec: TrainSpec, workspace: Workspace) -> None:
    named = os.environ.get(STATIC_VARIABLE)
    if not named:
        return
    folder = inside(workspace.repository, f"{spec.work_dir or '.'}/{named}", STATIC_VARIABLE)
    if not folder.is_dir():
        log("train", f"warning: {STATIC_VARIABLE} names {named!r}, which is no folder in {spec.work_dir or './'}")
        return
    log("train", f"copying the files in {named}")
    try:
        shutil.copytree(folder, workspace.output, dirs_exist_ok=True)
    except shutil.Error as error:
        source, _, why = error.args[0][0]
        raise UserError(
            f"{Path(source).relative_to(folder)} in {STATIC_VARIABLE} {named!r} cannot be copied: {why}",
            hint="each must be a file, or a link that leads to one",
        ) from error
