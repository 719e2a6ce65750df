"""The output directory: files that a training leaves for its artifact, from the step `train` to the step `package`."""

from __future__ import annotations

import shutil
from pathlib import Path

import yaml

from odahu_argo.contract import RUN_ID, PackageSpec, Workspace
from odahu_argo.errors import ServiceFault, UserError
from odahu_argo.storage.disk import disk_errors, link_or_copy

PROJECT_FILE = "odahuflow.project.yaml"


def empty_output(workspace: Workspace) -> None:
    """Make `workspace.output` an empty directory, whatever an earlier attempt left there.

    Raises:
        ServiceFault: The disk failed.
    """
    with disk_errors(workspace.output):
        if workspace.output.is_symlink() or workspace.output.is_file():
            workspace.output.unlink()
        shutil.rmtree(workspace.output, ignore_errors=True)
        workspace.output.mkdir(parents=True, exist_ok=True)


def fill(content: Path, spec: PackageSpec, workspace: Workspace) -> None:
    """Copy all files of `workspace.output` to the artifact's content. A `Toolchain` may use this function as its own `fill`.

    Symbolic links stay links: a training must not be able to add files to the artifact that only this step can read.

    Raises:
        UserError: The output directory is missing or was replaced.
        ServiceFault: The disk failed.
    """
    copy_files(workspace.output, content, "output")


def copy_files(source: Path, target: Path, kind: str) -> None:
    """Copy what a training left in the directory `source` of the workspace. Errors call it the training's `kind`.

    Symbolic links stay links: a training must not be able to add files to the zip that only this step can read.

    Raises:
        UserError: The directory is missing or was replaced.
        ServiceFault: The disk failed.
    """
    if source.is_symlink() or not source.is_dir():
        raise UserError(
            f"the training's {kind} directory {source} no longer exists",
            hint="the training program must write to the directory without removing or replacing it",
        )
    try:
        shutil.copytree(source, target, symlinks=True, copy_function=link_or_copy, dirs_exist_ok=True)
    except shutil.Error as error:
        file, _, reason = error.args[0][0]
        raise ServiceFault(
            f"{Path(file).relative_to(source)} in the training's {kind} cannot be copied: {reason}",
            hint="use a larger volume for the workspace, or free disk space",
        ) from error


def write_project_file(content: Path, spec: PackageSpec, workspace: Workspace) -> None:
    """Write `odahuflow.project.yaml` as ODAHU's toolchain `mlflow-project` did: model name, version and run ID."""
    project = {
        "name": spec.model_name,
        "version": spec.model_version,
        "output": {"run_id": workspace.read_result(RUN_ID)},
    }
    file = content / PROJECT_FILE
    with disk_errors(file):
        file.unlink(missing_ok=True)
        file.write_text(yaml.safe_dump(project, sort_keys=True, allow_unicode=True), "utf-8")
