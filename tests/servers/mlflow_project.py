"""A small MLflow project, a local tracking store, and one finished training."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from odahu_argo.contract import COMMIT_ID, TAR, PackageSpec, TrainSpec, Workspace
from odahu_argo.local.home import Home
from tests.servers.step_runner import StepRunner

COMMIT = "0123456789abcdef0123456789abcdef01234567"

MLPROJECT = """\
name: wine
entry_points:
  main:
    parameters:
      data: path
      alpha: {type: float, default: 0.5}
      note: {type: string, default: plain}
    command: "python train.py {data} {alpha} {note}"
  model-twice: {command: "python train.py data.csv 0.5 twice"}
  model-again: {command: "python train.py data.csv 0.5 again"}
  model-never: {command: "python train.py data.csv 0.5 never"}
  sample-no-table: {command: "python train.py data.csv 0.5 no-table"}
  predict-fails: {command: "python train.py data.csv 0.5 predict-fails"}
  fail: {command: "python -c 'import sys; sys.exit(7)'"}
  killed: {command: "kill -9 $$"}
  sleep: {command: "echo sleeping; sleep 600 & echo $! > {pid}; wait", parameters: {pid: string}}
"""

TRAIN = """\
import os
import sys

import mlflow
import pandas as pd
from mlflow.pyfunc import PythonModel, log_model

data, alpha, note = sys.argv[1:]
table = pd.read_csv(data)


class Mean(PythonModel):
    def __init__(self, mean):
        self.mean = mean
        self.fails = note == "predict-fails"

    def predict(self, context, model_input: pd.DataFrame, params=None):
        if self.fails:
            raise RuntimeError("no prediction")
        return pd.DataFrame({"quality": [self.mean] * len(model_input)})


def log(name):
    log_model(name=name, python_model=Mean(table["quality"].mean()), pip_requirements=["pandas"])


print("greeting:", os.environ.get("GREETING"))
print("python:", sys.executable)
print("note:", note)
with mlflow.start_run():
    mlflow.log_metric("mean", table["quality"].mean())
    if note != "never":
        log("model")
    if note == "twice":
        log("second")
    if note == "again":
        log("model")
    pd.to_pickle({"acid": 1} if note == "no-table" else table[["acid", "sugar"]].head(2), "head_input.pkl")
    table[["quality"]].head(2).to_pickle("head_output.pkl")
    mlflow.log_artifact("head_input.pkl", "model")
    mlflow.log_artifact("head_output.pkl", "model")
"""

SPEC = TrainSpec(
    training_id="wine-training",
    model_name="wine",
    model_version="1.0",
    work_dir="project",
    entry_point="main",
    hyper_parameters={"data": "project/data.csv", "note": "two words; $(touch x)"},
    environment={"GREETING": "hello"},
)
PACKAGE = PackageSpec(
    training_id="wine-training",
    model_name="wine",
    model_version="1.0",
    toolchain="mlflow",
    artifact_name_template="{{ .Name }}-{{ .Version }}-{{ .RandomUUID }}.zip",
    connection="out",
    artifact_format=TAR,
)


def entry_point(name: str, **hyper_parameters: str) -> TrainSpec:
    return replace(SPEC, entry_point=name, hyper_parameters=hyper_parameters)


@dataclass(frozen=True)
class Tracking:
    """A tracking store in a file."""

    uri: str
    artifacts: Path

    @property
    def client(self) -> Any:
        from mlflow import MlflowClient

        return MlflowClient(tracking_uri=self.uri)

    @property
    def variables(self) -> Mapping[str, str]:
        return {"MLFLOW_TRACKING_URI": self.uri, "ODAHU_ARGO_MLFLOW_ARTIFACTS": self.artifacts.as_uri()}


@dataclass(frozen=True)
class Trained:
    """A finished training: its workspace, tracking store and log."""

    step_runner: StepRunner
    tracking: Tracking
    log: str

    @property
    def run(self) -> Any:
        return self.tracking.client.get_run(self.step_runner.workspace.read_result("run-id"))


def write_project(repository: Path) -> None:
    project = repository / "project"
    project.mkdir(parents=True)
    (project / "MLproject").write_text(MLPROJECT)
    (project / "train.py").write_text(TRAIN)
    (project / "data.csv").write_text("acid,sugar,quality\n1.5,2,5\n2.5,3,6\n0.5,1,7\n")


@pytest.fixture(scope="session")
def tracking_store(prepared_home: Home, tmp_path_factory: pytest.TempPathFactory) -> Tracking:
    folder = tmp_path_factory.mktemp("mlflow")
    shutil.copy(prepared_home.tracking_file, folder / "mlflow.db")
    return Tracking(f"sqlite:///{folder}/mlflow.db", folder / "artifacts")


@pytest.fixture
def tracking(tracking_store: Tracking, monkeypatch: pytest.MonkeyPatch) -> Iterator[Tracking]:
    """The store, with the environment variables set for this test."""
    for name, value in tracking_store.variables.items():
        monkeypatch.setenv(name, value)
    yield tracking_store


@pytest.fixture
def project(step_runner: StepRunner) -> StepRunner:
    """A workspace whose checkout contains the project."""
    write_project(step_runner.repository)
    step_runner.workspace.write_result(COMMIT_ID, COMMIT)
    return step_runner


@pytest.fixture(scope="session")
def trained(tracking_store: Tracking, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """One real training, run as a process. Tests must not change it."""
    folder = tmp_path_factory.mktemp("trained")
    step_runner = StepRunner(Workspace(folder / "workspace", folder / "connections", folder / "message"))
    write_project(step_runner.repository)
    step_runner.workspace.write_result(COMMIT_ID, COMMIT)
    completed = step_runner.run_process(SPEC, **tracking_store.variables)
    if completed.code != 0:
        raise RuntimeError(completed.log)
    return Trained(step_runner, tracking_store, completed.log)
