"""A toolchain of another package trains locally and in the compiled containers."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from odahu_argo import contract
from odahu_argo.local.home import Home
from tests.archives import read_tar
from tests.commands import odahu_argo
from tests.conftest import ROOT
from tests.servers.git import git

PACKAGE = ROOT / "tests" / "data" / "least-squares"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with the package installed by pip from its source, without a network."""
    folder = tmp_path_factory.mktemp("least-squares")
    shutil.copytree(PACKAGE, folder / "source")
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-index", "--no-deps"]
    completed = subprocess.run(
        [*pip, "--no-build-isolation", "--target", str(folder / "site"), str(folder / "source")],
        capture_output=True,
        text=True,
    )
    assert completed.returncode == 0, completed.stderr
    return folder / "site"


@dataclass(frozen=True)
class ToolchainProject:
    """Manifests of a training with the toolchain, and environments with and without its package."""

    manifests: Path
    home: Path
    installed: Mapping[str, str]
    not_installed: Mapping[str, str]


@pytest.fixture
def project(tmp_path: Path, site: Path, prepare_home: Callable[[Path], Home]) -> ToolchainProject:
    repository = tmp_path / "repository"
    (repository / "project").mkdir(parents=True)
    (repository / "project" / "wine.csv").write_text("sugar,quality\n1,3\n2,5\n3,7\n")
    git(repository, "init", "--quiet", "--initial-branch=main")
    git(repository, "add", "--all")
    git(repository, "commit", "--quiet", "--message", "the data")
    training = {
        "model": {"name": "wine", "version": "1.0", "artifactNameTemplate": "{{ .Name }}.zip"},
        "toolchain": "line",
        "vcsName": "code",
        "workDir": "project",
        "entrypoint": "wine.csv",
        "hyperParameters": {"x": "sugar", "y": "quality"},
    }
    toolchain = {"entrypoint": "least-squares", "defaultImage": "registry.example.org/least-squares:1.2"}
    documents = [
        {"kind": "ModelTraining", "id": "wine", "spec": training},
        {"kind": "ToolchainIntegration", "id": "line", "spec": toolchain},
        {"kind": "Connection", "id": "code", "spec": {"type": "git", "uri": repository.as_uri()}},
    ]
    manifests = tmp_path / "manifests.yaml"
    manifests.write_text(yaml.safe_dump_all(documents))
    plain = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    home = prepare_home(tmp_path / "home")
    plain |= home.environment
    return ToolchainProject(manifests, home.root, {**plain, "PYTHONPATH": str(site)}, plain)


def content(archive: Path) -> dict[str, Any]:
    return {name: yaml.safe_load(text) for name, text in read_tar(archive).items()}


def test_local_training_succeeds(project: ToolchainProject, tmp_path: Path) -> None:
    run = ("local", "train", "run", "-f", project.manifests, "--output-dir", tmp_path / "models", "-o", "json")
    completed = odahu_argo(*run, env=project.installed)
    assert completed.code == 0, completed.err
    assert "quality = 2 sugar + 1, from 3 rows" in completed.err
    status = json.loads(completed.out)["status"]
    assert status["state"] == "succeeded"
    model = tmp_path / "models" / "wine"
    assert {file.name: yaml.safe_load(file.read_text()) for file in model.iterdir()} == {
        "line.json": {"slope": 2.0, "intercept": 1.0},
        "odahuflow.project.yaml": {
            "name": "wine",
            "version": "1.0",
            "output": {"run_id": status["artifacts"][0]["runId"]},
        },
    }


def test_reports_missing_package(project: ToolchainProject) -> None:
    completed = odahu_argo("local", "train", "run", "-f", project.manifests, env=project.not_installed)
    assert completed.code == 4
    assert "toolchain 'least-squares' is not installed" in completed.err
    assert "installed: mlflow, mlflow-project" in completed.err


def test_compiled_workflow_does_not_depend_on_installed_packages(project: ToolchainProject) -> None:
    direct = odahu_argo("compile", "-f", project.manifests, env=project.installed)
    response = odahu_argo("compile", "-f", project.manifests, env=project.not_installed)
    assert (response.code, response.out) == (0, direct.out), response.err


def test_plan_shows_toolchain(project: ToolchainProject) -> None:
    shown = odahu_argo("plan", "-f", project.manifests, env=project.not_installed).out
    assert "train: run wine.csv with the image's toolchain least-squares in project" in shown
    assert "MLflow" not in shown


def test_containers_of_the_compiled_workflow_train(project: ToolchainProject, tmp_path: Path) -> None:
    compiled = odahu_argo("compile", "-f", project.manifests, env=project.not_installed)
    assert compiled.code == 0, compiled.err
    workflow = yaml.safe_load(compiled.out)
    workspace = contract.Workspace(tmp_path / "workspace", tmp_path / "connections", tmp_path / "message")
    code, output = workspace.connections / "code", workspace.connections / "models-output"
    for folder, kind, uri in ((code, "git", tmp_path / "repository"), (output, "file", tmp_path / "models")):
        folder.mkdir(parents=True)
        (folder / "type").write_text(kind)
        (folder / "uri").write_text(uri.as_uri())
    containers = {t["name"]: t["container"] for t in workflow["spec"]["templates"] if "container" in t}
    assert list(containers) == ["checkout", "train", "package"]
    for name in ("train", "package"):
        assert containers[name]["image"] == "registry.example.org/least-squares:1.2"
    for container in containers.values():
        carry_out(container, workspace, project)
    assert content(tmp_path / "models" / "wine.zip")["line.json"] == {"slope": 2.0, "intercept": 1.0}


def carry_out(container: Mapping[str, Any], workspace: contract.Workspace, project: ToolchainProject) -> None:
    """Run the container's command as a process with the container's environment and this test's directories."""
    environment = {item["name"]: item["value"] for item in container["env"]} | {
        contract.WORKSPACE_VARIABLE: str(workspace.root),
        contract.CONNECTIONS_VARIABLE: str(workspace.connections),
        contract.MESSAGE_VARIABLE: str(workspace.message),
        "HOME": str(workspace.root),
    }
    workspace.root.mkdir(exist_ok=True)
    python, *arguments = container["command"]
    assert python == "python"
    completed = subprocess.run(
        [sys.executable, *arguments], env={**project.installed, **environment}, capture_output=True, text=True
    )
    assert completed.returncode == 0, completed.stdout + completed.stderr
