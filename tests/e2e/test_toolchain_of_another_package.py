"""A toolchain that is not MLflow, installed as a package beside odahu-argo, trains locally and as it was compiled."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from odahu_argo import contract
from odahu_argo.local.home import Home
from tests.commands import odahu_argo
from tests.conftest import ROOT
from tests.servers.git import git

PACKAGE = ROOT / "tests" / "data" / "least-squares"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder into which pip has installed the package, from its source and without a network."""
    folder = tmp_path_factory.mktemp("least-squares")
    shutil.copytree(PACKAGE, folder / "source")
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-index", "--no-deps"]
    ended = subprocess.run(
        [*pip, "--no-build-isolation", "--target", str(folder / "site"), str(folder / "source")],
        capture_output=True,
        text=True,
    )
    assert ended.returncode == 0, ended.stderr
    return folder / "site"


@dataclass(frozen=True)
class Desk:
    """Manifests of a training with that toolchain, and the environment in which its package is installed."""

    manifests: Path
    home: Path
    installed: Mapping[str, str]
    not_installed: Mapping[str, str]


@pytest.fixture
def desk(tmp_path: Path, site: Path, prepare_home: Callable[[Path], Home]) -> Desk:
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
    return Desk(manifests, home.root, {**plain, "PYTHONPATH": str(site)}, plain)


def content(archive: Path) -> dict[str, Any]:
    with zipfile.ZipFile(archive) as opened:
        return {name: yaml.safe_load(opened.read(name)) for name in opened.namelist()}


def test_it_trains_on_this_machine(desk: Desk, tmp_path: Path) -> None:
    run = ("local", "train", "run", "-f", desk.manifests, "--output-dir", tmp_path / "models", "-o", "json")
    ended = odahu_argo(*run, env=desk.installed)
    assert ended.code == 0, ended.err
    assert "quality = 2 sugar + 1, from 3 rows" in ended.err
    status = json.loads(ended.out)["status"]
    assert status["state"] == "succeeded"
    assert content(tmp_path / "models" / "wine.zip") == {
        "line.json": {"slope": 2.0, "intercept": 1.0},
        "odahuflow.project.yaml": {
            "name": "wine",
            "version": "1.0",
            "output": {"run_id": status["artifacts"][0]["runId"]},
        },
    }


def test_where_the_package_is_not_installed_the_step_says_so(desk: Desk) -> None:
    ended = odahu_argo("local", "train", "run", "-f", desk.manifests, env=desk.not_installed)
    assert ended.code == 4
    assert "toolchain 'least-squares' is not installed" in ended.err
    assert "installed: mlflow, mlflow-project" in ended.err


def test_what_is_compiled_does_not_depend_on_what_is_installed(desk: Desk) -> None:
    there = odahu_argo("compile", "-f", desk.manifests, env=desk.installed)
    here = odahu_argo("compile", "-f", desk.manifests, env=desk.not_installed)
    assert (here.code, here.out) == (0, there.out), here.err


def test_the_plan_says_who_trains(desk: Desk) -> None:
    shown = odahu_argo("plan", "-f", desk.manifests, env=desk.not_installed).out
    assert "train: run wine.csv by the toolchain least-squares, which the image must bring, in project" in shown
    assert "MLflow" not in shown


def test_the_containers_of_the_compiled_workflow_train(desk: Desk, tmp_path: Path) -> None:
    compiled = odahu_argo("compile", "-f", desk.manifests, env=desk.not_installed)
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
        carry_out(container, workspace, desk)
    assert content(tmp_path / "models" / "wine.zip")["line.json"] == {"slope": 2.0, "intercept": 1.0}


def carry_out(container: Mapping[str, Any], workspace: contract.Workspace, desk: Desk) -> None:
    """Run the container's command as a process that has the container's environment, with the folders of this test."""
    environment = {each["name"]: each["value"] for each in container["env"]} | {
        contract.WORKSPACE_VARIABLE: str(workspace.root),
        contract.CONNECTIONS_VARIABLE: str(workspace.connections),
        contract.MESSAGE_VARIABLE: str(workspace.message),
        "HOME": str(workspace.root),
    }
    workspace.root.mkdir(exist_ok=True)
    python, *arguments = container["command"]
    assert python == "python"
    ended = subprocess.run(
        [sys.executable, *arguments], env={**desk.installed, **environment}, capture_output=True, text=True
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
