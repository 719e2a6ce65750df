"""Git repositories with the projects that trainings on Argo run."""

from __future__ import annotations

from pathlib import Path

from tests.conftest import ROOT
from tests.servers.git import git

MLPROJECT = """\
name: small
entry_points:
  main:
    parameters: {text: {type: string, default: none}}
    command: "python train.py {text}"
  fail: {command: "python -c 'raise SystemExit(7)'"}
  interrupted: {parameters: {starts: float}, command: "python interrupted.py {starts}"}
  long: {command: "python -c 'import time; print(\\"begun\\", flush=True); time.sleep(600)'"}
"""
TRAIN = """\
import sys
import mlflow
from mlflow.pyfunc import PythonModel, log_model


class Echo(PythonModel):
    def predict(self, context, model_input: list[str], params=None):
        return model_input


print("text:", ascii(sys.argv[1]), flush=True)
with mlflow.start_run():
    log_model(name="model", python_model=Echo(), pip_requirements=["mlflow"])
"""
INTERRUPTED = """\
import pathlib, runpy, signal, sys, time

starts = pathlib.Path("starts")
number = 1 + len(starts.read_text()) if starts.exists() else 1
starts.write_text("x" * number)


def save(*_):
    time.sleep(15)
    print("saved in start", number, flush=True)
    sys.exit(1)


signal.signal(signal.SIGTERM, save)
print("start", number, flush=True)
if number < float(sys.argv[1]):
    time.sleep(600)
runpy.run_path("train.py", run_name="__main__")
"""
"""A script that waits to be interrupted until it is started for the given time, and saves its state within 15 seconds."""
FIRST_CALL = """\
import mlflow.pyfunc


class Echo(mlflow.pyfunc.PythonModel):
    def predict(self, context, model_input):
        return model_input


mlflow.pyfunc.log_model("model", python_model=Echo())
"""
"""A script for Python 3.6 and MLflow 1 or newer that logs a model without starting a run."""


ENVIRONMENT_MLPROJECT = """\
python_env: python_env.yaml
entry_points:
  main: {command: "python program.py"}
"""
ENVIRONMENT_PROGRAM = """\
import os
import mlflow

print("MLflow", mlflow.__version__)
with open(os.path.join(os.environ["ODAHUFLOW_OUTPUT_DIR"], "result"), "w") as file:
    file.write("done")
"""
REQUIREMENTS = {"environment": "mlflow-skinny==2.9.2, 'setuptools<80'", "unavailable": "iniconfig==99"}
"""Directories of projects with an environment file, and the packages that it lists."""


def make_repositories(folder: Path) -> None:
    """Create the repositories `small`, with the projects of this module, and `odahu-argo`, a bare clone of this one."""
    repository = folder / "small"
    repository.mkdir(parents=True)
    git(repository, "init", "--quiet", "--initial-branch=main")
    (repository / "MLproject").write_text(MLPROJECT)
    (repository / "train.py").write_text(TRAIN)
    (repository / "first_call.py").write_text(FIRST_CALL)
    (repository / "interrupted.py").write_text(INTERRUPTED)
    (repository / "helper" / "odahuflow_model").mkdir(parents=True)
    (repository / "helper" / "odahuflow.project.yaml").write_text("output: {run_id: training_data_test}\n")
    (repository / "helper" / "odahuflow_model" / "model.txt").write_text("model\n")
    for directory, requirements in REQUIREMENTS.items():
        (repository / directory).mkdir()
        (repository / directory / "MLproject").write_text(ENVIRONMENT_MLPROJECT)
        (repository / directory / "program.py").write_text(ENVIRONMENT_PROGRAM)
        (repository / directory / "python_env.yaml").write_text(f"dependencies: [{requirements}]\n")
    git(repository, "add", "--all")
    git(repository, "commit", "--quiet", "--message", "a small project")
    git(folder, "clone", "--quiet", "--bare", str(ROOT), str(folder / "odahu-argo"))
