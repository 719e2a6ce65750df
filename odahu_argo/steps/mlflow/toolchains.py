"""The built-in toolchains `mlflow` and `mlflow-project`, as entry points of `odahu_argo.steps.toolchain`."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from odahu_argo.contract import (
    COMMIT_ID,
    ENVIRONMENTS_VARIABLE,
    LAUNCH_DIRECTORY,
    RUN_ID,
    PackageSpec,
    TrainSpec,
    Workspace,
)
from odahu_argo.errors import UserError
from odahu_argo.launcher.environment import MANAGERS
from odahu_argo.launcher.launch import Launch
from odahu_argo.steps import output
from odahu_argo.steps.launch import find_uv, run_launch, write_launch
from odahu_argo.steps.mlflow.model_binary import MODEL_DIRECTORY, BinaryMetadata, build_binary
from odahu_argo.steps.mlflow.project import find_entry_point, read_project, render_command
from odahu_argo.steps.runtime import log
from odahu_argo.storage.paths import inside

OUTPUT_VARIABLE = "ODAHUFLOW_OUTPUT_DIR"
"""Output directory of `mlflow-project`; as in ODAHU, the training's `envs` cannot override it."""
SHORT_OUTPUT_VARIABLE = "OUTPUT_DIR"
"""The name in ODAHU's reference for the same directory; the training's `envs` take precedence."""
STATIC_VARIABLE = "STATIC_ARTIFACTS_DIR"


class MlflowToolchain:
    """An MLflow project that logs exactly one model, packaged as ODAHU's trained model binary."""

    def prepare(self, spec: TrainSpec, workspace: Workspace, in_other_image: bool = False) -> None:
        """Check the project and the hyperparameters, and write the launch.

        Raises:
            UserError: The project or its hyperparameters are invalid.
            ServiceFault: The disk failed.
        """
        write_launch(_launch(spec, workspace, requires_model=True), workspace, in_other_image)

    def train(self, spec: TrainSpec, workspace: Workspace) -> None:
        """Run the project, require exactly one logged model, check its samples, and copy it to the workspace.

        Raises:
            UserError: The project or its hyperparameters are invalid, the program failed, the run did not log exactly one
                model, or a sample is not a readable table.
            ServiceFault: The tracking server, the artifact store or the preparation of the environment failed.
        """
        self.prepare(spec, workspace)
        run_launch(workspace)

    def fill(self, content: Path, spec: PackageSpec, workspace: Workspace) -> None:
        """Lay out the model and its samples as ODAHU's packagers expect.

        Raises:
            UserError: The model is missing or unusable.
            ServiceFault: The disk failed.
        """
        run_id = workspace.read_result(RUN_ID) or ""
        output.copy_files(workspace.model, content / MODEL_DIRECTORY, "model")
        build_binary(content, BinaryMetadata(spec.model_name, spec.model_version, spec.toolchain, run_id))


class MlflowProjectToolchain:
    """An MLflow project whose output is the files that its program writes; it need not log a model.

    ODAHU's reference on trainings, "MLFlow Project toolchain": `ODAHUFLOW_OUTPUT_DIR` is the output directory, and the
    files in `STATIC_ARTIFACTS_DIR`, a directory relative to workDir, are copied to it first.
    """

    def prepare(self, spec: TrainSpec, workspace: Workspace, in_other_image: bool = False) -> None:
        """Check the project, copy the static files to the output directory, and write the launch.

        Raises:
            UserError: STATIC_ARTIFACTS_DIR is outside the repository, or the project or its hyperparameters are invalid.
            ServiceFault: The disk failed.
        """
        short = spec.environment.get(SHORT_OUTPUT_VARIABLE, str(workspace.output))
        variables = {OUTPUT_VARIABLE: str(workspace.output), SHORT_OUTPUT_VARIABLE: short}
        launch = _launch(spec, workspace, requires_model=False, variables=variables)
        _copy_static_files(spec, workspace)
        write_launch(launch, workspace, in_other_image)

    def train(self, spec: TrainSpec, workspace: Workspace) -> None:
        """Run the project, which may replace the static files.

        Raises:
            UserError: The project or its hyperparameters are invalid, or the program failed.
            ServiceFault: The tracking server, the preparation of the environment or the disk failed.
        """
        self.prepare(spec, workspace)
        run_launch(workspace)

    def fill(self, content: Path, spec: PackageSpec, workspace: Workspace) -> None:
        """Copy the output directory and add ODAHU's description of it.

        Raises:
            UserError: The output directory is missing.
            ServiceFault: The disk failed.
        """
        output.fill(content, spec, workspace)
        output.write_project_file(content, spec, workspace)


mlflow_toolchain = MlflowToolchain()
mlflow_project_toolchain = MlflowProjectToolchain()


def _launch(
    spec: TrainSpec, workspace: Workspace, requires_model: bool, variables: Mapping[str, str] | None = None
) -> Launch:
    if spec.environment_manager not in MANAGERS:
        raise UserError(
            f"unknown environment manager {spec.environment_manager!r}",
            hint=f"use one of {', '.join(MANAGERS)}",
        )
    log("train", f"reading the MLflow project in {spec.work_dir or './'}")
    directory = inside(workspace.repository, spec.work_dir or "./", "workDir")
    project = read_project(directory)
    entry_point = find_entry_point(project, spec.entry_point)
    downloads = workspace.root / LAUNCH_DIRECTORY / "downloads"
    rendered = render_command(entry_point, spec.hyper_parameters, downloads)
    return Launch(
        command=rendered.command,
        work_dir=str(directory),
        downloads=dict(rendered.downloads),
        parameters=dict(rendered.parameters),
        tags=_run_tags(spec, workspace.read_result(COMMIT_ID)),
        experiment=spec.model_name,
        variables={**spec.environment, **(variables or {})},
        results=str(workspace.result_file(RUN_ID).parent.absolute()),
        output=str(workspace.output.absolute()),
        model=str(workspace.model.absolute()) if requires_model else None,
        environment=project.environment,
        environment_manager=spec.environment_manager,
        environments=os.environ.get(ENVIRONMENTS_VARIABLE) or str((workspace.root / "environments").absolute()),
        uv=find_uv(),
        strict=spec.strict_environment,
    )


def _run_tags(spec: TrainSpec, commit: str | None) -> dict[str, str]:
    tags = {
        "training_id": spec.training_id,
        "model_name": spec.model_name,
        "model_version": spec.model_version,
        "mlflow.runName": spec.training_id,
        "mlflow.source.type": "PROJECT",
        "mlflow.source.name": spec.work_dir or "./",
        "mlflow.project.entryPoint": spec.entry_point,
    }
    return {**tags, "commit": commit, "mlflow.source.git.commit": commit} if commit else tags


def _copy_static_files(spec: TrainSpec, workspace: Workspace) -> None:
    name = {**os.environ, **spec.environment}.get(STATIC_VARIABLE)
    if not name:
        return
    directory = inside(workspace.repository, f"{spec.work_dir or '.'}/{name}", STATIC_VARIABLE)
    if not directory.is_dir():
        log("train", f"warning: {STATIC_VARIABLE}: no directory {name!r} in {spec.work_dir or './'}")
        return
    log("train", f"copying the files in {name}")
    try:
        shutil.copytree(directory, workspace.output, dirs_exist_ok=True)
    except shutil.Error as error:
        source, _, reason = error.args[0][0]
        raise UserError(
            f"{Path(source).relative_to(directory)} in {STATIC_VARIABLE} {name!r} cannot be copied: {reason}",
            hint="only files and symbolic links to files can be copied",
        ) from error
