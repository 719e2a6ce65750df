"""A training while its MLflow server is slow, dies, and comes back: the step as a process, the server as another."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from odahu_argo.contract import TrainSpec
from tests.servers.mlflow_project import SPEC
from tests.servers.mlflow_server import held_up, tracking_server
from tests.servers.programs import Server
from tests.servers.workplace import Workplace

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
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with tracking_server(tmp_path_factory.mktemp("tracking")) as server:
        yield server


@pytest.fixture
def workspace(project: Workplace) -> Workplace:
    """A project that logs one metric, waits for the word to go on, and logs another."""
    folder = project.repository / "project"
    (folder / "train.py").write_text(TRAIN)
    (folder / "MLproject").write_text("name: x\nentry_points: {slow: {command: python train.py}}\n")
    return project


def start(workspace: Workplace, port: int, spec: TrainSpec = STEP, **variables: str) -> subprocess.Popen[str]:
    environment = workspace.environment(spec) | {"MLFLOW_TRACKING_URI": f"http://127.0.0.1:{port}", **variables}
    return subprocess.Popen(
        workspace.command(spec), env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def until_begun(workspace: Workplace, step: subprocess.Popen[str]) -> Path:
    """The file that lets the program go on, once its first metric is on the server."""
    until = time.monotonic() + 120
    while not (workspace.repository / "project" / "begun").exists():
        assert step.poll() is None and time.monotonic() < until, step.stdout
        time.sleep(0.05)
    return workspace.repository / "project" / "go-on"


def test_a_server_that_restarts_during_the_training_costs_nothing(workspace: Workplace, server: Server) -> None:
    step = start(workspace, server.port)
    go_on = until_begun(workspace, step)
    server.kill()
    go_on.touch()
    server.start()
    log, _ = step.communicate(timeout=200)
    assert step.returncode == 0, log
    assert "metrics: after=2 before=1" in log


def test_a_slow_server_is_waited_for(workspace: Workplace, server: Server) -> None:
    (workspace.repository / "project" / "go-on").touch()
    with held_up(server.port, 0.5) as port:
        step = start(workspace, port)
        log, _ = step.communicate(timeout=200)
    assert step.returncode == 0, log
    assert "metrics: after=2 before=1" in log


def test_a_server_that_stays_dead_is_a_fault_and_the_next_attempt_trains_anew(
    workspace: Workplace, server: Server
) -> None:
    step = start(workspace, server.port, MLFLOW_HTTP_REQUEST_MAX_RETRIES="1")
    go_on = until_begun(workspace, step)
    server.kill()
    go_on.touch()
    log, _ = step.communicate(timeout=200)
    assert step.returncode == 3, log
    message = workspace.workspace.message.read_text()
    assert f"http://127.0.0.1:{server.port}" in message
    assert "check that the MLflow server is running" in message
    server.start()
    again = start(workspace, server.port)
    log, _ = again.communicate(timeout=200)
    assert again.returncode == 0, log
    assert "metrics: after=2 before=1" in log
