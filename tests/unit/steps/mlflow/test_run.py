"""The MLflow run of a training, and the errors of invalid or failed trainings."""

from __future__ import annotations

import json
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from odahu_argo.errors import ServiceFault, UserError
from odahu_argo.launcher.models import logged_models
from odahu_argo.launcher.tracking import connect, find_or_create_experiment
from tests.servers.mlflow_project import COMMIT, SPEC, Tracking, Trained, entry_point
from tests.servers.programs import free_port
from tests.servers.step_runner import StepRunner


def test_run_is_finished_and_tagged(trained: Trained) -> None:
    run = trained.run
    tags = {"training_id", "model_name", "model_version", "commit", "mlflow.source.git.commit", "mlflow.runName"}
    assert run.info.status == "FINISHED"
    assert {name: run.data.tags[name] for name in tags} == {
        "training_id": "wine-training",
        "model_name": "wine",
        "model_version": "1.0",
        "commit": COMMIT,
        "mlflow.source.git.commit": COMMIT,
        "mlflow.runName": "wine-training",
    }


def test_experiment_has_name_of_model_and_artifact_location(trained: Trained) -> None:
    experiment = trained.tracking.client.get_experiment(trained.run.info.experiment_id)
    assert experiment.name == "wine"
    assert experiment.artifact_location == trained.tracking.artifacts.as_uri()


def test_run_has_hyperparameters_and_defaults(trained: Trained) -> None:
    expected = {"data": "project/data.csv", "alpha": "0.5", "note": "two words; $(touch x)"}
    assert trained.run.data.params == expected


def test_log_contains_output_of_program(trained: Trained) -> None:
    assert "greeting: hello\n" in trained.log
    assert "note: two words; $(touch x)\n" in trained.log


def test_log_contains_line_of_mlflow_with_command_and_run(trained: Trained) -> None:
    [line] = [line for line in trained.log.splitlines() if "INFO mlflow.projects: " in line]
    assert "=== Running command 'python train.py " in line
    assert line.endswith(f" in run with ID '{trained.run.info.run_id}' ===")


def test_project_uses_python_of_step(trained: Trained) -> None:
    assert f"python: {sys.executable}\n" in trained.log


def test_log_ends_with_metrics_and_run(trained: Trained) -> None:
    run_id = trained.run.info.run_id
    ending = [line for line in trained.log.splitlines() if line.startswith("train: ")][-5:]
    assert ending == [
        "train: metrics: mean=6",
        "train: self check of the packaged model",
        "train: samples: head_input.pkl, head_output.pkl",
        "train: self check passed: init, info, predict_on_matrix",
        f"train: done: run {run_id} logged model 'model'",
    ]


def test_restores_environment_and_working_directory(project: StepRunner, tracking: Tracking) -> None:
    before = dict(os.environ), Path.cwd()
    with pytest.raises(UserError):
        project.run(replace(entry_point("fail"), environment={"GREETING": "hello"}))
    assert (dict(os.environ), Path.cwd()) == before


@pytest.mark.parametrize(
    ("spec", "words", "hint"),
    [
        (entry_point("mian"), "no entry point 'mian'", "did you mean 'main'? entry points of this project: main, "),
        (entry_point("main"), "requires a value for 'data'", "parameters of this project: data, alpha, note"),
        (entry_point("main", data="x", alhpa="1"), "has no parameter 'alhpa'", "did you mean 'alpha'?"),
        (entry_point("main", data="no/such.csv"), "no such file", "relative to the repository's root"),
        (entry_point("other.py"), "script 'other.py' does not exist", "entry points of this project"),
        (replace(SPEC, work_dir="nowhere"), "workDir is not a directory", "check workDir"),
        (replace(SPEC, work_dir="./"), "no MLproject file", "set workDir to"),
        (replace(SPEC, work_dir="../"), "workDir '../' leaves the repository", "inside the repository"),
        (
            replace(SPEC, environment_manager="docker"),
            "unknown environment manager 'docker'",
            "auto, local, uv, virtualenv, conda",
        ),
        (
            replace(SPEC, trainer="mlfow"),
            "toolchain 'mlfow' is not installed",
            "did you mean 'mlflow'? installed: mlflow, ",
        ),
    ],
)
def test_invalid_training_is_user_error_with_hint(
    project: StepRunner, tracking: Tracking, spec: object, words: str, hint: str
) -> None:
    with pytest.raises(UserError) as raised:
        project.run(spec)
    assert words in str(raised.value)
    assert hint in str(raised.value)


@pytest.mark.parametrize("text", ["entry_points: [", "just text", "entry_points: {main: 3}", "docker_env: {image: x}"])
def test_invalid_mlproject_is_user_error(project: StepRunner, tracking: Tracking, text: str) -> None:
    (project.repository / "project/MLproject").write_text(text)
    with pytest.raises(UserError, match="the MLproject in"):
        project.run(SPEC)


def status_of_run(project: StepRunner, tracking: Tracking) -> str:
    return tracking.client.get_run(project.workspace.read_result("run-id")).info.status


def test_failed_program_is_user_error_with_exit_status(project: StepRunner, tracking: Tracking) -> None:
    with pytest.raises(UserError, match="exited with status 7"):
        project.run(entry_point("fail"))
    assert status_of_run(project, tracking) == "FAILED"


def test_killed_program_suggests_more_memory(project: StepRunner, tracking: Tracking) -> None:
    with pytest.raises(UserError, match=r"resources\.limits\.memory"):
        project.run(entry_point("killed"))


@pytest.mark.parametrize(
    ("name", "words"),
    [("model-never", "logged 0 models;"), ("model-twice", "logged 2 models: model, second;")],
)
def test_requires_exactly_one_model(project: StepRunner, tracking: Tracking, name: str, words: str) -> None:
    with pytest.raises(UserError, match=words):
        project.run(entry_point(name))


def test_uses_latest_model_of_same_name(project: StepRunner, tracking: Tracking) -> None:
    project.run(entry_point("model-again"))
    run = tracking.client.get_run(project.workspace.read_result("run-id"))
    (model,) = logged_models(tracking.client, run)
    first, last = sorted(
        (tracking.client.get_logged_model(output.model_id) for output in run.outputs.model_outputs),
        key=lambda logged: logged.creation_timestamp,
    )
    assert model.locations[-1] == last.artifact_location != first.artifact_location


FIRST_CALL = """\
import mlflow
import pandas as pd
from mlflow.pyfunc import PythonModel, log_model


class Echo(PythonModel):
    def predict(self, context, model_input: list[str], params=None):
        return model_input


log_model(name="model", python_model=Echo(), pip_requirements=["pandas"])
"""


def test_model_of_first_call_belongs_to_run(project: StepRunner, tracking: Tracking) -> None:
    """With MLflow 3, `log_model` outside of `start_run` makes a model without a run."""
    (project.repository / "project/first.py").write_text(FIRST_CALL)
    project.run(entry_point("first.py"))
    run = tracking.client.get_run(project.workspace.read_result("run-id"))
    [output] = run.outputs.model_outputs
    assert tracking.client.get_logged_model(output.model_id).name == "model"
    assert (project.workspace.model / "MLmodel").is_file()
    assert run.info.status == "FINISHED"


def test_script_as_entry_point(project: StepRunner, tracking: Tracking) -> None:
    (project.repository / "project/tool.sh").write_text('echo "$@" > got; exit 3\n')
    with pytest.raises(UserError, match="status 3"):
        project.run(entry_point("tool.sh", any="value"))
    assert (project.repository / "project/got").read_text() == "--any value\n"


def test_further_attempt_ends_run_of_earlier_one(project: StepRunner, tracking: Tracking) -> None:
    client = tracking.client
    lost = client.create_run(client.create_experiment("lost-" + project.workspace.root.parent.name)).info.run_id
    project.workspace.write_result("run-id", lost)
    with pytest.raises(UserError):
        project.run(entry_point("fail"))
    assert client.get_run(lost).info.status == "FAILED"


def test_deleted_experiment_is_user_error(project: StepRunner, tracking: Tracking) -> None:
    name = "deleted-" + project.workspace.root.parent.name
    tracking.client.delete_experiment(tracking.client.create_experiment(name))
    with pytest.raises(UserError, match="was deleted") as raised:
        project.run(replace(SPEC, model_name=name))
    assert "mlflow experiments restore" in str(raised.value)


def test_unreachable_tracking_server_is_service_fault(project: StepRunner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://ada:s3cret@127.0.0.1:{free_port()}")
    with pytest.raises(ServiceFault, match="cannot reach the tracking server") as raised:
        project.run(SPEC)
    assert "s3cret" not in str(raised.value)


def test_missing_tracking_uri_is_user_error(project: StepRunner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    with pytest.raises(UserError, match="MLFLOW_TRACKING_URI is not set"):
        project.run(SPEC)


def test_concurrent_creation_of_experiment(step_runner: StepRunner, tracking: Tracking) -> None:
    name = "race-" + step_runner.workspace.root.parent.name
    client = connect()
    with ThreadPoolExecutor(max_workers=8) as pool:
        found = set(pool.map(lambda _: find_or_create_experiment(client, name, None), range(8)))
    assert len(found) == 1


def test_reads_models_of_mlflow_2_from_tag(tracking: Tracking) -> None:
    client = tracking.client
    history = [{"artifact_path": "model"}, {"artifact_path": "model"}, {"artifact_path": "other"}]
    run = client.create_run("0", tags={"mlflow.log-model.history": json.dumps(history)})
    client.set_terminated(run.info.run_id)
    assert [model.name for model in logged_models(client, run)] == ["model", "other"]
