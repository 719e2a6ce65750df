"""The runner image and the one of the example upon it, built as users build them, tried as in a pod: `make test-image`."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest

from odahu_argo import contract
from odahu_argo.contract import Room
from odahu_argo.profile import Profile
from tests.conftest import EXAMPLES, ROOT
from tests.servers.images import Images
from tests.servers.mlflow_project import SPEC, write_project

pytestmark = [pytest.mark.image, pytest.mark.timeout(1200)]

RUNNER = "localhost/odahu-argo-runner"
CACHE = "localhost/sklearn-cached"
USER = Profile().user_id


@pytest.fixture(scope="module")
def runner(images: Images) -> str:
    """The id of the runner image, which is called `RUNNER`."""
    return images.make(RUNNER)


def test_its_user_is_the_profiles_and_can_change_nothing_of_it(images: Images, runner: str) -> None:
    told = images.run(RUNNER, "sh", "-c", "id -u; id -g; echo ~; pwd; find / -xdev -user $(id -u) -not -path '/proc/*'")
    assert told.stdout.split() == [str(USER), str(USER), "/home/odahu", "/", "/home/odahu"], told.stderr


def test_without_a_step_it_tells_its_usage(images: Images, runner: str) -> None:
    format_ = "{{range .OCIv1.Config.Entrypoint}}{{.}} {{end}}"
    entrypoint = images.buildah("inspect", "--type", "image", "--format", format_, RUNNER).split()
    assert entrypoint == ["python", "-m", contract.MODULE]
    told = images.run(RUNNER, *entrypoint)
    assert told.returncode == 2
    assert "python -m odahu_argo.steps checkout|download|train|package" in told.stdout


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (["git", "--version"], "git version 2."),
        (["git", "lfs", "version"], "git-lfs/"),
        (["git", "config", "--system", "filter.lfs.process"], "git-lfs filter-process"),
        (["ssh", "-V"], "OpenSSH_"),
        (["bash", "-c", "command -v python"], "/opt/odahu-argo/bin/python"),
        (["pip", "check"], "No broken requirements found."),
        (["python", "-c", "import sys; print(sys.version_info >= (3, 11))"], "True"),
        (["python", "-c", "import yaml; print(yaml.__cached__)"], "/opt/odahu-argo/lib/"),
    ],
)
def test_what_steps_need_is_there(images: Images, runner: str, command: list[str], said: str) -> None:
    told = images.run(RUNNER, *command)
    assert said in told.stdout + told.stderr
    assert told.returncode == 0


def test_its_packages_are_those_of_the_constraints(images: Images, runner: str) -> None:
    pinned = set(re.findall(r"^([\w.-]+)==([^\s;]+)", (ROOT / "constraints.txt").read_text(), re.MULTILINE))
    listed = images.run(RUNNER, "pip", "list", "--format", "json", "--disable-pip-version-check").stdout
    found = {(each["name"].lower().replace("_", "-"), each["version"]) for each in json.loads(listed)}
    names = {name for name, _ in found}
    assert {"odahu-argo", "mlflow", "boto3", "google-cloud-storage", "azure-storage-blob"} <= names
    assert {name for name, _ in found - pinned} <= {"odahu-argo", "pip", "setuptools"}


def test_a_training_runs_in_it(images: Images, runner: str, tmp_path: Path) -> None:
    room = Room(tmp_path / "workspace", tmp_path, tmp_path)
    write_project(room.repository)
    for path in (room.workspace, *room.workspace.rglob("*")):
        os.chown(path, USER, USER)
    variables = {
        contract.STEP_VARIABLE: contract.spec_to_json(SPEC),
        contract.TRACKING_VARIABLE: "sqlite:////workspace/mlflow.db",
        contract.MLFLOW_ARTIFACTS_VARIABLE: "file:///workspace/mlflow-artifacts",
        "HOME": "/workspace/home",
    }
    command = ["python", "-m", contract.MODULE, "train"]
    environment = [f"{name}={value}" for name, value in variables.items()]
    ended = images.run(RUNNER, "env", *environment, *command, workspace=room.workspace)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert f"done: run {room.read_result('run-id')} has logged model 'model'" in ended.stdout


def test_the_same_source_gives_the_same_image(images: Images, runner: str) -> None:
    assert images.make(f"{RUNNER}-again") == runner


def test_the_image_of_the_example_has_the_models_packages_beside_ours(images: Images, runner: str) -> None:
    folder = EXAMPLES / "03-custom-toolchain" / "image"
    images.buildah("build", "--quiet", "--build-arg", f"RUNNER={RUNNER}", "--tag", CACHE, str(folder))
    told = images.run(CACHE, "python", "-c", "import os, imblearn, odahu_argo; print(os.getuid())")
    assert told.stdout.strip() == str(USER), told.stderr
    assert images.run(CACHE, "pip", "check").returncode == 0
