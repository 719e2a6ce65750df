"""The toolchain `mlflow`: an MLflow project that logs exactly one model, and ODAHU's trained model binary of it."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from odahu_argo.contract import RUN_ID, PackageSpec, TrainSpec, Workspace
from odahu_argo.errors import UserError
from odahu_argo.steps.log import log
from odahu_argo.steps.mlflow_run import run_project
from odahu_argo.steps.model_binary import MODEL_FOLDER, Identity, complete
from odahu_argo.steps.model_files import fetch
from odahu_argo.steps.samples import SAMPLES, check_samples
from odahu_argo.steps.tracking import RunModel, connect, models_of, tracking_errors
from odahu_argo.steps.trained_model import leave, left

if TYPE_CHECKING:
    from mlflow import MlflowClient


def train(spec: TrainSpec, workspace: Workspace) -> None:
    """Run the project and see that it has logged exactly one model, whose samples are tables.

    Raises:
        UserError: project or hyperparameters are wrong, the program failed, or did not log exactly one model, or a sample
            is no readable table.
        ServiceFault: tracking server, artifact store, or the preparation of the environment failed.
    """
    client, finished = run_project(spec, workspace)
    models = models_of(client, finished)
    if len(models) != 1:
        listed = ", ".join(model.name for model in models)
        raise UserError(
            f"the run has logged {len(models)} models{': ' + listed if listed else ''}; exactly one is wanted",
            hint="call mlflow.<flavor>.log_model(...) once, within `with mlflow.start_run():`; autologging may log one too."
            " Where no model shall be logged, use the toolchain mlflow-project",
        )
    _check_samples(models[0], workspace)
    leave(workspace, finished.info.run_id, models[0])
    log("train", f"done: run {finished.info.run_id} has logged model {models[0].name!r}")


def fill(content: Path, spec: PackageSpec, workspace: Workspace) -> None:
    """Fetch the run's model and samples, and lay them out as ODAHU's packagers expect.

    Raises:
        UserError: the run has not exactly one usable model.
        ServiceFault: tracking server, artifact store, network or disk failed.
    """
    run_id = workspace.read_result(RUN_ID) or ""
    model = left(workspace, run_id) or _only_model(connect(), run_id)
    log("package", f"fetching model {model.name!r} of run {run_id}")
    fetch(model, content / MODEL_FOLDER, workspace)
    complete(content, Identity(spec.model_name, spec.model_version, spec.toolchain, run_id))


def _only_model(client: MlflowClient, run_id: str) -> RunModel:
    with tracking_errors(f"find run {run_id}"):
        found = client.get_run(run_id)
    models = models_of(client, found)
    if len(models) != 1:
        listed = ", ".join(model.name for model in models) or "none"
        raise UserError(f"run {run_id} must have exactly one model; it has {len(models)}: {listed}")
    return models[0]


def _check_samples(model: RunModel, workspace: Workspace) -> None:
    folder = workspace.root / "samples"
    shutil.rmtree(folder, ignore_errors=True)
    fetch(model, folder, workspace, only=SAMPLES)
    log("train", f"samples: {', '.join(check_samples(folder)) or 'none'}")
    shutil.rmtree(folder)
