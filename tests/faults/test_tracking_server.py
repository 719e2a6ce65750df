"""A training while its MLflow server is slow, stops, and starts again."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from odahu_argo.contract import TrainSpec
from odahu_argo.local.home import Home
from tests.servers.mlflow_project import SPEC
from tests.servers.mlflow_server import held_up, tracking_server
from tests.servers.programs import Server
from tests.servers.step_runner import StepRunner

TRAIN = """\
import pathlib
import time

import mlflow

with mlflow.start_run():
    mlflow.log_metric("before", 1)
    pathlib.Path("begun").touch()
    while not pathlib.Path("go-on").exists():
        time.sleep(0.05)
    mlflow.log_metric("after", 2)
"""
STEP = replace(SPEC, trainer="mlflow-project", entry_point="slow", hyper_parameters={})


@pytest.fixture(scope="module")
def server(prepared_home: Home, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with tracking_server(tmp_path_factory.mktemp("tracking"), prepared_home.tracking_file) as server:
        yield server


@pytest.fixture
def step(project: StepRunner) -> StepRunner:
    """A project that logs a metric, waits for the file `go-on`, and logs another."""
    folder = project.repository / "project"
    (folder / "train.py").write_text(TRAIN)
    (folder / "MLproject").write_text("name: x\nentry_points: {slow: {command: python train.py}}\n")
    return project


def start(step: StepRunner, port: int, spec: TrainSpec = STEP, **variables: str) -> subprocess.Popen[str]:
    environment = step.environment(spec) | {"MLFLOW_TRACKING_URI": f"http://127.0.0.1:{port}", **variables}
    return subprocess.Popen(
        step.command(spec), env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def wait_for_first_metric(step: StepRunner, process: subprocess.Popen[str]) -> Path:
    """Wait until the program has logged its first metric, and return the file that it waits for."""
    until = time.monotonic() + 120
    while not (step.repository / "project" / "begun").exists():
        assert process.poll() is None and time.monotonic() < until, process.stdout
        time.sleep(0.05)
    return step.repository / "project" / "go-on"


def test_training_survives_server_restart(step: StepRunner, server: Server) -> None:
    process = start(step, server.port)
    go_on = wait_for_first_metric(step, process)
    server.kill()
    go_on.touch()
    server.start()
    log, _ = process.communicate(timeout=200)
    assert process.returncode == 0, log
    assert "metrics: after=2 before=1" in log


def test_training_waits_for_slow_server(step: StepRunner, server: Server) -> None:
    (step.repository / "project" / "go-on").touch()
    with held_up(server.port, 0.5) as port:
        process = start(step, port)
        log, _ = process.communicate(timeout=200)
    assert process.returncode == 0, log
    assert "metrics: after=2 before=1" in log


def test_dead_server_is_service_fault_and_next_attempt_succeeds(step: StepRunner, server: Server) -> None:
    process = start(step, server.port, MLFLOW_HTTP_REQUEST_MAX_RETRIES="1")
    go_on = wait_for_first_metric(step, process)
    server.kill()
    go_on.touch()
    log, _ = process.communicate(timeout=200)
    assert process.returncode == 3, log
    message = step.workspace.message.read_text()
    assert f"http://127.0.0.1:{server.port}" in message
    assert "check that the MLflow server is running" in message
    server.start()
    again = start(step, server.port)
    log, _ = again.communicate(timeout=200)
    assert again.returncode == 0, log
    assert "metrics: after=2 before=1" in log
