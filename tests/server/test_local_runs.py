"""Trainings that the API runs on this machine: real steps, a real repository, real MLflow."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import psutil
import pytest
import requests
import yaml

from odahu_argo.local.home import Home
from tests.commands import odahu_argo
from tests.servers.api import ApiClient, server_process, signed_in
from tests.servers.git import git
from tests.servers.mlflow_project import write_project

API = "/api/v1"


class Machine:
    """A directory of manifests, a home directory, and a client of their API."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.home = Home(folder / "home")
        self.manifests = folder / "manifests"
        self.api = ApiClient("")

    def __call__(self, method: str, path: str, body: object = None, **options: Any) -> requests.Response:
        return self.api.request(method, API + path, json=body, **options)

    def create(self, training_id: str, **spec: Any) -> requests.Response:
        return self("POST", "/model/training", training(training_id, **spec))

    def state(self, training_id: str) -> str:
        return str(self("GET", f"/model/training/{training_id}").json()["status"]["state"])

    def wait_for(self, training_id: str, *states: str) -> str:
        until = time.monotonic() + 90
        while (state := self.state(training_id)) not in states and time.monotonic() < until:
            time.sleep(0.2)
        return state

    def started(self, name: str) -> psutil.Process:
        """Return the process ID of the program that the entry point `sleep` started."""
        file = self.folder / name
        until = time.monotonic() + 60
        while not (file.exists() and file.read_text().strip()) and time.monotonic() < until:
            time.sleep(0.1)
        return psutil.Process(int(file.read_text()))


def training(training_id: str, **spec: Any) -> dict[str, Any]:
    fields = {
        "model": {"name": "wine", "version": "1.0"},
        "toolchain": "mlflow",
        "vcsName": "code",
        "workDir": "project",
        "hyperParameters": {"data": "project/data.csv"},
        **spec,
    }
    return {"kind": "ModelTraining", "id": training_id, "spec": fields}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("machine")
    repository = folder / "repository"
    write_project(repository)
    git(repository, "init", "--quiet", "--initial-branch=main")
    git(repository, "add", "--all")
    git(repository, "commit", "--quiet", "--message", "the project")
    connections = [
        {"kind": "Connection", "id": "code", "spec": {"type": "git", "uri": repository.as_uri()}},
        {"kind": "Connection", "id": "data", "spec": {"type": "s3", "uri": "s3://x/", "keySecret": "CANARYsecret"}},
    ]
    toolchain = {"kind": "ToolchainIntegration", "id": "mine", "spec": {"entrypoint": "mlflow-project"}}
    (folder / "manifests").mkdir()
    (folder / "manifests" / "connections.yaml").write_text(
        yaml.safe_dump_all([*connections, toolchain, training("wine")])
    )
    return folder


@pytest.fixture(scope="module")
def machine(folder: Path) -> Iterator[Machine]:
    machine = Machine(folder)
    with signed_in("--local", "-d", machine.manifests, ODAHU_ARGO_HOME=str(machine.home.root)) as machine.api:
        yield machine


def test_runs_training_and_follows_log(machine: Machine) -> None:
    created = machine.create("wine")
    assert created.status_code == 201, created.text
    assert created.json()["spec"]["hyperParameters"] == {"data": "project/data.csv"}
    assert created.json()["status"]["state"] in ("scheduling", "running")
    with machine("GET", "/model/training/wine/log?follow=true", stream=True) as log:
        lines = [line.decode() for line in log.iter_lines()]
    assert any(line.startswith("checkout | ") for line in lines)
    assert any(line.startswith("package | ") for line in lines)
    assert machine.wait_for("wine", "succeeded", "failed") == "succeeded", lines
    shown = machine("GET", "/model/training/wine").json()
    assert shown == json.loads(odahu_argo("local", "train", "get", "--id", "wine", "-o", "json", env=home(machine)).out)
    [artifact] = shown["status"]["artifacts"]
    assert (machine.home.artifacts / artifact["artifactName"] / "odahuflow.project.yaml").is_file()
    again = machine.create("wine")
    assert (again.status_code, again.json()["message"]) == (409, 'entity "wine" already exists')
    assert "already exists on this machine" in again.json()["problems"][0]["message"]
    assert machine("DELETE", "/model/training/wine").json() == {"message": "Model training wine was deleted"}
    assert machine("GET", "/model/training/wine").status_code == 404
    assert (machine.home.artifacts / artifact["artifactName"]).exists()


def home(machine: Machine) -> dict[str, str]:
    return {**os.environ, "ODAHU_ARGO_HOME": str(machine.home.root)}


def test_training_survives_server_restart_and_stops_on_delete(folder: Path) -> None:
    machine = Machine(folder)
    machine.home = Home(folder / "another home")
    machine.home.root.mkdir()
    machine.home.tracking_version_file.write_text(version("mlflow"))
    arguments = ("--port", "0", "--local", "-d", machine.manifests)
    with server_process(*arguments, ODAHU_ARGO_HOME=str(machine.home.root)) as (server, url, token):
        machine.api = ApiClient(url, token)
        spec = {"entrypoint": "sleep", "hyperParameters": {"pid": str(folder / "first")}}
        created = machine.create("sleeper", **spec)
        assert created.status_code == 201, created.text
        first = created.json()
        program = machine.started("first")
        server.send_signal(signal.SIGINT)
        server.wait(timeout=30)
    assert is_at_work(program)

    with signed_in("--local", "-d", machine.manifests, ODAHU_ARGO_HOME=str(machine.home.root)) as machine.api:
        repeated = machine.create("sleeper", **spec)
        assert (repeated.status_code, repeated.json()["createdAt"]) == (201, first["createdAt"])
        assert machine.create("sleeper", **{**spec, "entrypoint": "fail"}).status_code == 409

        renewed = machine("PUT", "/model/training", training("sleeper", **{**spec, "workDir": "./project"}))
        assert renewed.status_code == 200, renewed.text
        assert renewed.json()["createdAt"] > first["createdAt"]
        assert not is_at_work(program)
        assert machine.state("sleeper") in ("scheduling", "running")
        assert machine("DELETE", "/model/training/sleeper").status_code == 200
        assert machine("GET", "/model/training/sleeper").status_code == 404
    assert not machine.home.run("sleeper").root.exists()


def test_reports_all_problems_before_start(machine: Machine) -> None:
    wrong = machine.create("beer", toolchain="mlfow", vcsName="nowhere")
    assert wrong.status_code == 400
    assert "toolchain" in wrong.text and "nowhere" in wrong.json()["message"]
    assert machine("PUT", "/model/training", training("beer")).status_code == 404
    assert machine("GET", "/model/training/beer").status_code == 404


def test_reports_failure_in_status(machine: Machine) -> None:
    assert machine.create("failing", reference="no-such-branch").status_code == 201
    assert machine.wait_for("failing", "succeeded", "failed") == "failed"
    shown = machine("GET", "/model/training/failing").json()
    assert "no-such-branch" in shown["status"]["reason"]


def test_reads_connections_and_toolchains_from_files(machine: Machine) -> None:
    listed = machine("GET", "/connection")
    assert [item["id"] for item in listed.json()] == ["code", "data"]
    assert "CANARY" not in listed.text
    assert [item["id"] for item in machine("GET", "/connection?type=s3").json()] == ["data"]
    assert machine("GET", "/connection/data").json()["spec"]["keySecret"] == "*****"
    assert machine("GET", "/connection/data/decrypted").status_code == 403
    toolchains = machine("GET", "/toolchain/integration").json()
    assert [item["id"] for item in toolchains] == ["mine", "mlflow", "mlflow-project"]
    assert machine("GET", "/toolchain/integration/mine").json()["spec"] == {"entrypoint": "mlflow-project"}
    for what in ("/connection", "/toolchain/integration"):
        assert machine("GET", f"{what}/nowhere").status_code == 404
        for method, path in (("POST", ""), ("PUT", ""), ("DELETE", "/data")):
            rejected = machine(method, what + path, {"id": "data", "spec": {}})
            assert (rejected.status_code, "not supported on this machine" in rejected.json()["message"]) == (405, True)


def is_at_work(program: psutil.Process) -> bool:
    """Return whether the process runs and is not a zombie."""
    return program.is_running() and program.status() != psutil.STATUS_ZOMBIE
