"""One run of an MLflow project, from its record on the tracking server to the end of its program."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from odahu_argo.contract import COMMIT_ID, MLFLOW_ARTIFACTS_VARIABLE, RUN_ID, TRACKING_VARIABLE, TrainSpec, Workspace
from odahu_argo.errors import OdahuArgoError, ServiceFault, UserError
from odahu_argo.steps.conda import NAME_VARIABLE, activated_environment, program
from odahu_argo.steps.log import log
from odahu_argo.steps.mlproject import ENVIRONMENT_MANAGERS, EntryPoint, read_entry_point, start
from odahu_argo.steps.surroundings import environment
from odahu_argo.steps.tracking import connect, experiment_id, quiet_mlflow, tracking_errors
from odahu_argo.storage.paths import inside

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

_say = partial(log, "train")


def run_project(
    spec: TrainSpec, workspace: Workspace, variables: Mapping[str, str] | None = None
) -> tuple[MlflowClient, Run]:
    """Run the project in a new run of the experiment named like the model; its id is recorded before the program starts.

    The program gets `variables` besides those of the training, sees the current directory as the place from where paths of
    type `path` count, and prints into this step's log. Returned is the finished run, with the server that knows it.

    Raises:
        UserError: project or hyperparameters are wrong, or the program failed.
        ServiceFault: the tracking server or the preparation of the environment failed.
    """
    if spec.environment_manager not in ENVIRONMENT_MANAGERS:
        raise UserError(
            f"environment manager {spec.environment_manager!r} is not known",
            hint=f"choose one of {', '.join(ENVIRONMENT_MANAGERS)}",
        )
    _say(f"reading the MLflow project in {spec.work_dir or './'}")
    quiet_mlflow()
    work_dir = inside(workspace.repository, spec.work_dir or "./", "workDir")
    entry_point = read_entry_point(work_dir, spec.entry_point, spec.hyper_parameters)
    client = connect()
    _end_earlier_attempt(client, workspace)
    experiment = experiment_id(client, spec.model_name, _artifact_location(spec))
    run_id = _create_run(client, experiment, spec, entry_point, workspace.read_result(COMMIT_ID))
    workspace.write_result(RUN_ID, run_id)
    _say(f"run {run_id} of experiment {spec.model_name!r} begins")
    _run_program(client, spec, entry_point, experiment, run_id, variables or {})
    with tracking_errors("read the run"):
        finished = client.get_run(run_id)
    metrics = " ".join(f"{name}={value:g}" for name, value in sorted(finished.data.metrics.items()))
    _say(f"metrics: {metrics or 'none'}")
    return client, finished


def _end_earlier_attempt(client: MlflowClient, workspace: Workspace) -> None:
    """A run that an earlier attempt began and could not end (a lost node) must not look alive for ever."""
    earlier = workspace.read_result(RUN_ID)
    if earlier is None:
        return
    with suppress(OdahuArgoError), tracking_errors("end the earlier run"):
        if client.get_run(earlier).info.status == "RUNNING":
            client.set_terminated(earlier, "FAILED")


def _create_run(
    client: MlflowClient, experiment: str, spec: TrainSpec, entry_point: EntryPoint, commit: str | None
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
        created = client.create_run(experiment, tags=tags, run_name=spec.training_id)
    return str(created.info.run_id)


def _run_program(
    client: MlflowClient,
    spec: TrainSpec,
    entry_point: EntryPoint,
    experiment: str,
    run_id: str,
    variables: Mapping[str, str],
) -> None:
    """Run it to its end; the run is then FINISHED, FAILED, or KILLED when this step is told to stop."""
    outcome = "KILLED"
    try:
        _log_parameters(client, run_id, entry_point)
        with environment({**_program_environment(spec, entry_point), **variables}):
            process = start(entry_point, spec.hyper_parameters, spec.environment_manager, experiment, run_id)
        status = process.wait()
        if status != 0:
            raise _program_failed(status)
        outcome = "FINISHED"
    except OdahuArgoError:
        outcome = "FAILED"
        raise
    finally:
        with suppress(OdahuArgoError), tracking_errors("end the run"):
            if client.get_run(run_id).info.status == "RUNNING":
                client.set_terminated(run_id, outcome)


def _log_parameters(client: MlflowClient, run_id: str, entry_point: EntryPoint) -> None:
    from mlflow.entities import Param

    with tracking_errors("log the hyperparameters"):
        client.log_batch(run_id, params=[Param(name, value) for name, value in entry_point.parameters.items()])


def _artifact_location(spec: TrainSpec) -> str | None:
    """Where a new experiment keeps its artifacts; a server that the training itself names decides that alone."""
    return None if TRACKING_VARIABLE in spec.environment else os.environ.get(MLFLOW_ARTIFACTS_VARIABLE) or None


def _program_environment(spec: TrainSpec, entry_point: EntryPoint) -> Mapping[str, str]:
    """`python` in the MLproject is the image's conda environment where it has one, else the Python that runs this step."""
    variables = {"PYTHONUNBUFFERED": "1"}
    if spec.environment_manager == "conda" and (conda := program()):
        return {**variables, "CONDA_EXE": conda}
    if spec.environment_manager != "local":
        return variables
    if conda_name := os.environ.get(NAME_VARIABLE):
        return {**activated_environment(conda_name, entry_point.conda_file), **variables}
    here = str(Path(sys.executable).parent)
    return {**variables, "PATH": os.pathsep.join([here, os.environ.get("PATH", os.defpath)])}


def _program_failed(status: int) -> OdahuArgoError:
    """A fault, worth another attempt, where the tracking server is away as well; else the user's mistake."""
    number = -status if status < 0 else status - 128
    if number == signal.SIGKILL:
        return UserError(
            "the training program was killed (signal 9), most often for want of memory",
            hint="raise resources.limits.memory of the training",
        )
    ended = f"the training program ended with exit status {status}"
    try:
        connect()
    except ServiceFault as away:
        return ServiceFault(f"{ended}, and the step {away.problems[0].message}", hint=away.problems[0].hint)
    except UserError:
        pass
    return UserError(ended, hint="its own words are in the lines above, in the log of the step train")
