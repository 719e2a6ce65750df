"""An MLflow run of a project, from its record on the tracking server to the end of the training program."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Mapping
from contextlib import nullcontext, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from odahu_argo.contract import COMMIT_ID, MLFLOW_ARTIFACTS_VARIABLE, RUN_ID, TRACKING_VARIABLE, TrainSpec, Workspace
from odahu_argo.errors import OdahuArgoError, ServiceFault, UserError
from odahu_argo.steps.conda import NAME_VARIABLE, activated_environment, conda_program
from odahu_argo.steps.mlflow.project import ENVIRONMENT_MANAGERS, ProjectEntryPoint, read_entry_point, start_program
from odahu_argo.steps.mlflow.tracking import (
    connect,
    find_or_create_experiment,
    quiet_mlflow,
    short_requests,
    tracking_errors,
)
from odahu_argo.steps.runtime import check_stopped, environment, is_stopping, log
from odahu_argo.storage.paths import inside

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

_log = partial(log, "train")


def run_project(
    spec: TrainSpec, workspace: Workspace, variables: Mapping[str, str] | None = None
) -> tuple[MlflowClient, Run]:
    """Run the project in a new run of the experiment named after the model, and return the client and the finished run.

    The run ID is recorded before the program starts. The program's environment has `variables` in addition to the
    training's. Parameters of type `path` are relative to the working directory. The program's output goes to the log.

    Raises:
        UserError: The project or its hyperparameters are wrong, or the program failed.
        ServiceFault: The tracking server or the preparation of the environment failed.
        StepStopped: SIGTERM was received.
    """
    if spec.environment_manager not in ENVIRONMENT_MANAGERS:
        raise UserError(
            f"unknown environment manager {spec.environment_manager!r}",
            hint=f"use one of {', '.join(ENVIRONMENT_MANAGERS)}",
        )
    _log(f"reading the MLflow project in {spec.work_dir or './'}")
    quiet_mlflow()
    work_dir = inside(workspace.repository, spec.work_dir or "./", "workDir")
    entry_point = read_entry_point(work_dir, spec.entry_point, spec.hyper_parameters)
    client = connect()
    _end_run_of_earlier_attempt(client, workspace)
    experiment_id = find_or_create_experiment(client, spec.model_name, _artifact_location(spec))
    check_stopped()
    run_id = _create_run(client, experiment_id, spec, entry_point, workspace.read_result(COMMIT_ID))
    workspace.write_result(RUN_ID, run_id)
    _log(f"started run {run_id} of experiment {spec.model_name!r}")
    _run_program(client, spec, entry_point, experiment_id, run_id, variables or {})
    with tracking_errors("read the run"):
        finished = client.get_run(run_id)
    metrics = " ".join(f"{name}={value:g}" for name, value in sorted(finished.data.metrics.items()))
    _log(f"metrics: {metrics or 'none'}")
    return client, finished


def _end_run_of_earlier_attempt(client: MlflowClient, workspace: Workspace) -> None:
    """Mark a run as failed if its attempt could not, for example because the node was lost."""
    run_id = workspace.read_result(RUN_ID)
    if run_id is not None:
        _end_if_running(client, run_id, "FAILED")


def _end_if_running(client: MlflowClient, run_id: str, status: str) -> None:
    limit = short_requests() if is_stopping() else nullcontext()
    with suppress(OdahuArgoError), limit, tracking_errors("end the run"):
        if client.get_run(run_id).info.status == "RUNNING":
            client.set_terminated(run_id, status)


def _create_run(
    client: MlflowClient, experiment_id: str, spec: TrainSpec, entry_point: ProjectEntryPoint, commit: str | None
) -> str:
    tags = {
        "training_id": spec.training_id,
        "model_name": spec.model_name,
        "model_version": spec.model_version,
        "mlflow.source.type": "PROJECT",
        "mlflow.source.name": spec.work_dir or "./",
        "mlflow.project.entryPoint": entry_point.name,
    }
    if commit:
        tags |= {"commit": commit, "mlflow.source.git.commit": commit}
    with tracking_errors("create a run"):
        created = client.create_run(experiment_id, tags=tags, run_name=spec.training_id)
    return str(created.info.run_id)


def _run_program(
    client: MlflowClient,
    spec: TrainSpec,
    entry_point: ProjectEntryPoint,
    experiment_id: str,
    run_id: str,
    variables: Mapping[str, str],
) -> None:
    """Run the program to its end. The run's status is then FINISHED, FAILED, or KILLED after SIGTERM."""
    status = "KILLED"
    try:
        _log_parameters(client, run_id, entry_point)
        with environment({**_program_environment(spec, entry_point), **variables}):
            check_stopped()
            process = start_program(entry_point, spec.hyper_parameters, spec.environment_manager, experiment_id, run_id)
        exit_status = process.wait()
        check_stopped()
        if exit_status != 0:
            raise _program_error(exit_status)
        status = "FINISHED"
    except OdahuArgoError:
        status = "KILLED" if is_stopping() else "FAILED"
        raise
    finally:
        _end_if_running(client, run_id, status)


def _log_parameters(client: MlflowClient, run_id: str, entry_point: ProjectEntryPoint) -> None:
    from mlflow.entities import Param

    with tracking_errors("log the hyperparameters"):
        client.log_batch(run_id, params=[Param(name, value) for name, value in entry_point.parameters.items()])


def _artifact_location(spec: TrainSpec) -> str | None:
    """Return the artifact location of a new experiment. A tracking server in the training's `envs` chooses its own."""
    return None if TRACKING_VARIABLE in spec.environment else os.environ.get(MLFLOW_ARTIFACTS_VARIABLE) or None


def _program_environment(spec: TrainSpec, entry_point: ProjectEntryPoint) -> Mapping[str, str]:
    """Return the variables that select `python`: the image's conda environment if it has one, else this interpreter."""
    variables = {"PYTHONUNBUFFERED": "1"}
    if spec.environment_manager == "conda" and (conda := conda_program()):
        return {**variables, "CONDA_EXE": conda}
    if spec.environment_manager != "local":
        return variables
    if conda_name := os.environ.get(NAME_VARIABLE):
        return {**activated_environment(conda_name, entry_point.conda_file), **variables}
    bin_directory = str(Path(sys.executable).parent)
    return {**variables, "PATH": os.pathsep.join([bin_directory, os.environ.get("PATH", os.defpath)])}


def _program_error(exit_status: int) -> OdahuArgoError:
    """Return a transient fault if the tracking server is unreachable too, else a user error."""
    signal_number = -exit_status if exit_status < 0 else exit_status - 128
    if signal_number == signal.SIGKILL:
        return UserError(
            "the training program was killed (signal 9), usually because it ran out of memory",
            hint="raise resources.limits.memory of the training",
        )
    message = f"the training program exited with status {exit_status}"
    try:
        connect()
    except ServiceFault as fault:
        return ServiceFault(f"{message}, and the step {fault.problems[0].message}", hint=fault.problems[0].hint)
    except UserError:
        pass
    return UserError(message, hint="see its output above, in the log of the step train")
