"""A training: an MLflow run, the training program, and the model that it logged."""

import hashlib
import json
import os
from typing import Any, Dict, Optional

from odahu_argo.launcher.launch import Launch, launch_to_json
from odahu_argo.launcher.models import RUN_TAG, adopt_models, fetch_model, logged_models
from odahu_argo.launcher.program import check_stopped, is_stopping, program_error, run_program
from odahu_argo.launcher.report import EXIT_USER_ERROR, LaunchError, fault, log, user_error
from odahu_argo.launcher.self_check import check_model
from odahu_argo.launcher.tracking import (
    ARTIFACTS_VARIABLE,
    TRACKING_VARIABLE,
    connect,
    create_run,
    end_if_running,
    find_or_create_experiment,
    short_requests,
    tracking_errors,
)

_FINISHED_FILE = "finished.json"
_MAX_COMMAND = 1000


def run_training(launch: Launch, directory: str) -> None:
    """Run the program in a new run of the experiment, and fetch the model that it logged.

    The run ID is recorded before the program starts. An attempt after a fault that followed the end of the program, such as
    a failed download of the model, does not run the program again; `directory` keeps the record of that.

    Raises:
        LaunchError: The program failed, the run did not log exactly one model, or a server failed.
        LaunchStopped: SIGTERM was received.
    """
    client = connect(has_own_store=TRACKING_VARIABLE not in launch.variables)
    record = os.path.join(directory, _FINISHED_FILE)
    run_id = _finished_run(launch, record)
    if run_id is None:
        run_id = _run_program(launch, client)
        _write(record, json.dumps({"digest": _digest(launch), "run": run_id}))
    else:
        log("the program of run {} has finished in an earlier attempt".format(run_id))
    try:
        _collect_results(launch, client, run_id, directory)
    except LaunchError as error:
        if error.exit_code == EXIT_USER_ERROR:
            os.unlink(record)  # such a training runs again when it is resumed
        raise


def _collect_results(launch: Launch, client: Any, run_id: str, directory: str) -> None:
    with tracking_errors("read the run"):
        run = client.get_run(run_id)
    metrics = " ".join("{}={:g}".format(name, value) for name, value in sorted(run.data.metrics.items()))
    log("metrics: {}".format(metrics or "none"))
    if launch.model is not None:
        _fetch_only_model(launch, client, run, directory)
    else:
        count = sum(len(files) for _, _, files in os.walk(launch.output))
        if not count:
            log("warning: the program wrote no files to ODAHUFLOW_OUTPUT_DIR")
        log("done: run {} wrote {} {}".format(run_id, count, "file" if count == 1 else "files"))


def _run_program(launch: Launch, client: Any) -> str:
    """Run the program to its end. The run's status is then FINISHED, FAILED, or KILLED after SIGTERM."""
    _end_run_of_earlier_attempt(launch, client)
    location = None if TRACKING_VARIABLE in launch.variables else os.environ.get(ARTIFACTS_VARIABLE) or None
    experiment_id = find_or_create_experiment(client, launch.experiment, location)
    check_stopped()
    run_id = create_run(client, experiment_id, launch.tags, launch.parameters)
    _write(launch.run_id_file, run_id)
    log("started run {} of experiment {!r}".format(run_id, launch.experiment))
    log(_mlflow_line(launch.command, run_id))
    status = "KILLED"
    try:
        _download_parameters(launch)
        exit_status = run_program(launch.command, launch.work_dir, _program_environment(run_id, experiment_id))
        if exit_status != 0:
            raise _with_state_of_server(program_error(exit_status))
        status = "FINISHED"
    except LaunchError:
        status = "KILLED" if is_stopping() else "FAILED"
        raise
    finally:
        if is_stopping():
            with short_requests():
                end_if_running(client, run_id, status)
        else:
            end_if_running(client, run_id, status)
    return run_id


def _mlflow_line(command: str, run_id: str) -> str:
    """Return the line that `mlflow run` logs before it starts a program; scripts find the run ID in it."""
    shown = command if len(command) <= _MAX_COMMAND else command[: _MAX_COMMAND - 3] + "..."
    return "INFO mlflow.projects: === Running command '{}' in run with ID '{}' ===".format(shown, run_id)


def _end_run_of_earlier_attempt(launch: Launch, client: Any) -> None:
    """Mark a run as failed if its attempt could not, for example because the node was lost."""
    try:
        with open(launch.run_id_file, encoding="utf-8") as file:
            run_id = file.read().strip()
    except FileNotFoundError:
        return
    if run_id:
        end_if_running(client, run_id, "FAILED")


def _program_environment(run_id: str, experiment_id: str) -> Dict[str, str]:
    """Return the variables of the program: it logs to the run, and its models have the run's tag."""
    try:
        context = json.loads(os.environ.get("MLFLOW_RUN_CONTEXT", "{}"))
    except ValueError:
        context = {}
    return dict(
        os.environ,
        MLFLOW_RUN_ID=run_id,
        MLFLOW_EXPERIMENT_ID=experiment_id,
        MLFLOW_RUN_CONTEXT=json.dumps(dict(context, **{RUN_TAG: run_id})),
    )


def _download_parameters(launch: Launch) -> None:
    """Download parameters of type `path` whose value is a URI, as `mlflow run` does."""
    if not launch.downloads:
        return
    try:
        from mlflow.artifacts import download_artifacts
    except ImportError:
        raise user_error(
            "this version of MLflow cannot download a parameter of type path", "download it with the training's data"
        ) from None
    for path, uri in launch.downloads.items():
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with tracking_errors("download a parameter of type path"):
            download_artifacts(artifact_uri=uri, dst_path=os.path.dirname(path))


def _with_state_of_server(error: LaunchError) -> LaunchError:
    """Return a transient fault if the tracking server is unreachable too, else the error itself."""
    try:
        connect()
    except LaunchError as other:
        if other.exit_code != error.exit_code:
            return fault("{}, and the step {}".format(error.message, other.message), other.hint)
    return error


def _fetch_only_model(launch: Launch, client: Any, run: Any, directory: str) -> None:
    models = logged_models(client, adopt_models(client, run))
    if len(models) != 1:
        listed = ", ".join(model.name for model in models)
        raise user_error(
            "the run logged {} models{}; exactly one is required".format(len(models), ": " + listed if listed else ""),
            "call mlflow.<flavor>.log_model(...) once; autologging may log a second one. For a project without a model,"
            " use the toolchain mlflow-project",
        )
    [model] = models
    assert launch.model is not None
    fetch_model(client, run.info.run_id, model, launch.model)
    check_model(launch.model, directory)
    log("done: run {} logged model {!r}".format(run.info.run_id, model.name))


def _finished_run(launch: Launch, record: str) -> Optional[str]:
    """Return the run that an earlier attempt of the same launch has finished, or None.

    The output directory of an earlier attempt is gone, so a training without a model runs again.
    """
    if launch.model is None:
        return None
    try:
        with open(record, encoding="utf-8") as file:
            finished = json.load(file)
        return str(finished["run"]) if finished["digest"] == _digest(launch) else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _digest(launch: Launch) -> str:
    return hashlib.sha256(launch_to_json(launch).encode("utf-8", "surrogatepass")).hexdigest()


def _write(path: str, text: str) -> None:
    os.makedirs(os.path.dirname(path), exist_ok=True)
    partial = path + ".partial"
    with open(partial, "w", encoding="utf-8") as file:
        file.write(text)
    os.replace(partial, path)
