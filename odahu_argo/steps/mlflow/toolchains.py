"""The built-in toolchains `mlflow` and `mlflow-project`, as entry points of `odahu_argo.steps.toolchain`."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

from odahu_argo.contract import RUN_ID, PackageSpec, TrainSpec, Workspace
from odahu_argo.errors import UserError
from odahu_argo.steps import output
from odahu_argo.steps.conda import NAME_VARIABLE, activated_environment
from odahu_argo.steps.mlflow.model import fetch_model, load_model_reference, save_model_reference
from odahu_argo.steps.mlflow.model_binary import MODEL_DIRECTORY, BinaryMetadata, build_binary
from odahu_argo.steps.mlflow.run import run_project
from odahu_argo.steps.mlflow.self_check import self_check
from odahu_argo.steps.mlflow.tracking import RunModel, connect, logged_models, tracking_errors
from odahu_argo.steps.runtime import log
from odahu_argo.storage.paths import inside

OUTPUT_VARIABLE = "ODAHUFLOW_OUTPUT_DIR"
"""Output directory of `mlflow-project`; as in ODAHU, the training's `envs` cannot override it."""
SHORT_OUTPUT_VARIABLE = "OUTPUT_DIR"
"""The name in ODAHU's reference for the same directory; the training's `envs` take precedence."""
STATIC_VARIABLE = "STATIC_ARTIFACTS_DIR"


class MlflowToolchain:
    """An MLflow project that logs exactly one model, packaged as ODAHU's trained model binary."""

    def train(self, spec: TrainSpec, workspace: Workspace) -> None:
        """Run the project, require exactly one logged model, and check it as it will be packaged.

        Raises:
            UserError: The project or its hyperparameters are invalid, the program failed, the run did not log exactly one
                model, or the model fails ODAHU's self check.
            ServiceFault: The tracking server, the artifact store or the preparation of the environment failed.
        """
        client, run = run_project(spec, workspace)
        models = logged_models(client, run)
        if len(models) != 1:
            listed = ", ".join(model.name for model in models)
            raise UserError(
                f"the run logged {len(models)} models{': ' + listed if listed else ''}; exactly one is required",
                hint="call mlflow.<flavor>.log_model(...) once, within `with mlflow.start_run():`; autologging may log"
                " a second one. For a project without a model, use the toolchain mlflow-project",
            )
        [model] = models
        _check_packaged_model(model, spec, run.info.run_id, workspace)
        save_model_reference(workspace, run.info.run_id, model)
        log("train", f"done: run {run.info.run_id} logged model {model.name!r}")

    def fill(self, content: Path, spec: PackageSpec, workspace: Workspace) -> None:
        """Fetch the run's model and samples, and lay them out as ODAHU's packagers expect.

        Raises:
            UserError: The run does not have exactly one usable model.
            ServiceFault: The tracking server, the artifact store, the network or the disk failed.
        """
        run_id = workspace.read_result(RUN_ID) or ""
        model = load_model_reference(workspace, run_id) or _find_model(run_id)
        log("package", f"fetching model {model.name!r} of run {run_id}")
        fetch_model(model, content / MODEL_DIRECTORY, workspace)
        build_binary(content, BinaryMetadata(spec.model_name, spec.model_version, spec.toolchain, run_id))


class MlflowProjectToolchain:
    """An MLflow project whose output is the files that its program writes; it need not log a model.

    ODAHU's reference on trainings, "MLFlow Project toolchain": `ODAHUFLOW_OUTPUT_DIR` is the output directory, and the
    files in `STATIC_ARTIFACTS_DIR`, a directory relative to workDir, are copied to it first.
    """

    def train(self, spec: TrainSpec, workspace: Workspace) -> None:
        """Copy the static files to the output directory and run the project, which may replace them.

        Raises:
            UserError: STATIC_ARTIFACTS_DIR is outside the repository, the project or its hyperparameters are invalid, or
                the program failed.
            ServiceFault: The tracking server, the preparation of the environment or the disk failed.
        """
        _copy_static_files(spec, workspace)
        short = spec.environment.get(SHORT_OUTPUT_VARIABLE, str(workspace.output))
        _, run = run_project(spec, workspace, {OUTPUT_VARIABLE: str(workspace.output), SHORT_OUTPUT_VARIABLE: short})
        count = sum(1 for path in workspace.output.rglob("*") if not path.is_dir())
        if not count:
            log("train", f"warning: the program wrote no files to {OUTPUT_VARIABLE}")
        log("train", f"done: run {run.info.run_id} wrote {count} {'file' if count == 1 else 'files'}")

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


def _find_model(run_id: str) -> RunModel:
    client = connect()
    with tracking_errors(f"find run {run_id}"):
        run = client.get_run(run_id)
    models = logged_models(client, run)
    if len(models) != 1:
        listed = ", ".join(model.name for model in models) or "none"
        raise UserError(f"run {run_id} must have exactly one model; it has {len(models)}: {listed}")
    return models[0]


def _check_packaged_model(model: RunModel, spec: TrainSpec, run_id: str, workspace: Workspace) -> None:
    """Check the model in a directory of its own, laid out as in the artifact, with the Python that trained it."""
    python = _training_python(spec)
    if python is None:
        log("train", f"self check skipped: the packages of the model are in the {spec.environment_manager} environment")
        return
    directory = workspace.root / "self-check"
    shutil.rmtree(directory, ignore_errors=True)
    fetch_model(model, directory / MODEL_DIRECTORY, workspace)
    build_binary(directory, BinaryMetadata(spec.model_name, spec.model_version, spec.trainer, run_id))
    self_check(directory, python)
    shutil.rmtree(directory)


def _training_python(spec: TrainSpec) -> str | None:
    """Return the Python that ran the training program, or None if only MLflow knows its environment."""
    if spec.environment_manager != "local":
        return None
    if conda_name := os.environ.get(NAME_VARIABLE):
        return shutil.which("python", path=activated_environment(conda_name, None)["PATH"])
    return sys.executable


def _copy_static_files(spec: TrainSpec, workspace: Workspace) -> None:
    name = os.environ.get(STATIC_VARIABLE)
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
