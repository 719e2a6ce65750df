"""Environments of MLflow projects on a real Argo controller, built from the package index of this machine."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest
import yaml
from kubernetes import client

from tests.commands import CommandResult
from tests.servers.argo import ADDRESS, ArgoSite
from tests.servers.handlers import serving_by
from tests.servers.package_index import forwarding_index

pytestmark = [pytest.mark.argo, pytest.mark.timeout(1200)]


@pytest.fixture(scope="module")
def profile(site: ArgoSite) -> Path:
    """A profile whose environments are built from the projects' files and kept on a volume."""
    claim = {
        "metadata": {"name": "environments"},
        "spec": {"accessModes": ["ReadWriteMany"], "resources": {"requests": {"storage": "5Gi"}}},
    }
    client.CoreV1Api(site.api).create_namespaced_persistent_volume_claim(site.namespace, claim)
    file = site.folder / "environments.yaml"
    file.write_text(yaml.safe_dump(site.settings(environments_claim="environments")))
    return file


@pytest.fixture(scope="module")
def index() -> Iterator[str]:
    with forwarding_index(ADDRESS) as url:
        yield url


def manifest(site: ArgoSite, training_id: str, work_dir: str, index: str) -> Path:
    envs = {"MLFLOW_TRACKING_URI": "file:///workspace/mlruns", "UV_DEFAULT_INDEX": index, "UV_INDEX_URL": index}
    return site.manifest(
        training_id,
        toolchain="mlflow-project",
        workDir=work_dir,
        envs=[{"name": name, "value": value} for name, value in envs.items()],
    )


def train(site: ArgoSite, profile: Path, work_dir: str, index: str) -> tuple[str, CommandResult]:
    """Run the project in the directory, and return the training's ID and the command's result."""
    training_id = f"environment-{uuid.uuid4().hex[:6]}"
    return training_id, site.run("train", "create", "-f", manifest(site, training_id, work_dir, index), profile=profile)


def test_environment_is_built_once_for_all_trainings(site: ArgoSite, profile: Path, index: str) -> None:
    logs = []
    for _ in range(2):
        training_id, result = train(site, profile, "environment", index)
        assert result.code == 0, result.err
        logs.append(site.run("train", "logs", "--id", training_id, "--step", "train").out)
    assert "train: building the environment /var/lib/odahu-argo/environments/" in logs[0]
    assert "train: using the environment /var/lib/odahu-argo/environments/" in logs[1]
    assert all("\nMLflow 2.9.2\n" in log for log in logs)


def test_unavailable_requirement_is_user_error_before_program(site: ArgoSite, profile: Path, index: str) -> None:
    training_id, result = train(site, profile, "unavailable", index)
    assert result.code == 4
    status: dict[str, Any] = site.status(training_id)
    assert (status["state"], status["exitCode"]) == ("failed", 2)
    assert "the environment of python_env.yaml cannot be created" in status["message"]
    assert "iniconfig==99" in status["message"]
    assert not any(artifact.get("runId") for artifact in status["artifacts"])


@pytest.fixture
def requested() -> threading.Event:
    """Set when the silent index has received a request."""
    return threading.Event()


@pytest.fixture
def silent_index(requested: threading.Event) -> Iterator[str]:
    """A package index that accepts requests and never responds."""
    is_over = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            requested.set()
            is_over.wait()

        def log_message(self, format: str, *arguments: object) -> None:
            pass

    with serving_by(Handler, address=ADDRESS) as url:
        yield url
        is_over.set()


def test_stop_ends_installation(site: ArgoSite, profile: Path, silent_index: str, requested: threading.Event) -> None:
    training_id = f"environment-{uuid.uuid4().hex[:6]}"
    file = manifest(site, training_id, "unavailable", silent_index)
    assert site.run("train", "create", "-f", file, "--no-wait", profile=profile).code == 0
    site.until(requested.is_set)
    assert site.run("train", "stop", "--id", training_id).code == 0
    status = site.wait_for_end(training_id)
    assert status["state"] == "failed" and "stopped" in status["message"]
    log = site.run("train", "logs", "--id", training_id, "--step", "train").out
    assert "train: stopped by SIGTERM" in log.splitlines()
