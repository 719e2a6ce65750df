"""The folder in which a training leaves the files of its zip, from one step to the next."""

from __future__ import annotations

import shutil
from pathlib import Path

import yaml

from odahu_argo.contract import RUN_ID, PackageSpec, Workspace
from odahu_argo.errors import ServiceFault, UserError
from odahu_argo.storage.disk import disk_errors, link_or_copy

PROJECT_FILE = "odahuflow.project.yaml"


def empty_output(workspace: Workspace) -> None:
    """Make `workspace.output` an empty folder, whatever an earlier attempt has left there.

    Raises:
        ServiceFault: the disk failed.
    """
    with disk_errors(workspace.output):
        if workspace.output.is_symlink() or workspace.output.is_file():
            workspace.output.unlink()
        shutil.rmtree(workspace.output, ignore_errors=True)
        workspace.output.mkdir(parents=True, exist_ok=True)


def fill(content: Path, spec: PackageSpec, workspace: Workspace) -> None:
    """Put what the training has left in `workspace.output` into the zip; a `Toolchain` may use it as its own `fill`.

    Symbolic links stay links: the training must not lead this step to files that only this step can read.

    Raises:
        UserError: the folder is gone, or no longer a folder.
        ServiceFault: the disk failed.
    """
    if workspace.output.is_symlink() or not workspace.output.is_dir():
        raise UserError(
            f"the training's output folder {workspace.output} is no longer there",
            hint="the training program must write into the folder and leave it in its place",
        )
    try:
        shutil.copytree(workspace.output, content, symlinks=True, copy_function=link_or_copy, dirs_exist_ok=True)
    except shutil.Error as error:
        source, _, why = error.args[0][0]
        raise ServiceFault(
            f"{Path(source).relative_to(workspace.output)} of the training's output cannot be copied: {why}",
            hint="give the workspace a larger volume, or free space on this machine",
        ) from error


def write_project_file(content: Path, spec: PackageSpec, workspace: Workspace) -> None:
    """Describe the content as ODAHU's toolchain `mlflow-project` did: the model's name and version, and the run's id."""
    project = {
        "name": spec.model_name,
        "version": spec.model_version,
        "output": {"run_id": workspace.read_result(RUN_ID)},
    }
    file = content / PROJECT_FILE
    with disk_errors(file):
        file.unlink(missing_ok=True)
        file.write_text(yaml.safe_dump(project, sort_keys=True, allow_unicode=True), "utf-8")
