"""The images of runner and training, and the example's upon it, built and tried as in a pod: `make test-image`."""

from __future__ import annotations

import json
import os
import re
import zipfile
from pathlib import Path

import pytest

from odahu_argo import contract
from odahu_argo.contract import PackageSpec, TrainSpec, Workspace
from odahu_argo.profile import Profile
from tests.conftest import EXAMPLES, ROOT
from tests.servers.images import Images
from tests.servers.mlflow_project import PACKAGE, SPEC, write_project

pytestmark = [pytest.mark.image, pytest.mark.timeout(1200)]

RUNNER = "localhost/odahu-argo-runner"
TRAINING = "localhost/odahu-argo-training"
CONTROLLER = "localhost/odahu-argo-controller"
MAX_RUNNER_PACKAGES = 170
"""MB of the runner's Python packages, without bytecode."""
CACHE = "localhost/sklearn-cached"
USER = Profile().user_id


@pytest.fixture(scope="module", autouse=True)
def built(images: Images) -> None:
    images.make("image", f"IMAGE={RUNNER}", f"TRAINING_IMAGE={TRAINING}", f"CONTROLLER_IMAGE={CONTROLLER}")


@pytest.mark.parametrize("image", [RUNNER, TRAINING, CONTROLLER])
def test_its_user_is_the_profiles_and_can_change_nothing_of_it(images: Images, image: str) -> None:
    told = images.run(image, "sh", "-c", "id -u; id -g; echo ~; pwd; find / -xdev -user $(id -u) -not -path '/proc/*'")
    assert told.stdout.split() == [str(USER), str(USER), "/home/odahu", "/", "/home/odahu"], told.stderr


@pytest.mark.parametrize("image", [RUNNER, TRAINING])
def test_without_a_step_it_tells_its_usage(images: Images, image: str) -> None:
    format_ = "{{range .OCIv1.Config.Entrypoint}}{{.}} {{end}}"
    entrypoint = images.buildah("inspect", "--type", "image", "--format", format_, image).split()
    assert entrypoint == ["python", "-m", contract.MODULE]
    told = images.run(image, *entrypoint)
    assert told.returncode == 2
    assert "python -m odahu_argo.steps checkout|download|train|package" in told.stdout


@pytest.mark.parametrize(
    ("image", "command", "said"),
    [
        (RUNNER, ["git", "--version"], "git version 2."),
        (RUNNER, ["git", "lfs", "version"], "git-lfs/"),
        (RUNNER, ["git", "config", "--system", "filter.lfs.process"], "git-lfs filter-process"),
        (RUNNER, ["ssh", "-V"], "OpenSSH_"),
        (RUNNER, ["python", "-c", "import yaml; print(yaml.__cached__)"], "/opt/odahu-argo/lib/"),
        (CONTROLLER, ["odahu-argo", "recorder", "--help"], "Usage: odahu-argo recorder"),
        (CONTROLLER, ["odahu-argo", "server", "--help"], "Usage: odahu-argo server"),
        (TRAINING, ["bash", "-c", "command -v python"], "/opt/odahu-argo/bin/python"),
        (TRAINING, ["odahu-argo", "mlflow-server", "--", "--help"], "--app-name"),
        (TRAINING, ["pip", "check"], "No broken requirements found."),
        (TRAINING, ["python", "-c", "import sys; print(sys.version_info >= (3, 11))"], "True"),
        (TRAINING, ["python", "-c", "import sklearn, yaml; print(yaml.__cached__)"], "/opt/odahu-argo/lib/"),
    ],
)
def test_what_steps_need_is_there(images: Images, image: str, command: list[str], said: str) -> None:
    told = images.run(image, *command)
    assert said in told.stdout + told.stderr
    assert told.returncode == 0


LIST = """
import json
from importlib.metadata import distributions
print(json.dumps([[each.name.lower().replace("_", "-").replace(".", "-"), each.version] for each in distributions()]))
"""


@pytest.mark.parametrize(
    ("image", "wanted", "unwanted"),
    [
        (RUNNER, {"mlflow-skinny", "obstore", "boto3"}, {"mlflow", "pandas", "numpy", "pip", "kubernetes"}),
        (
            TRAINING,
            {"mlflow", "pandas", "psycopg-binary", "pyarrow", "scikit-learn", "virtualenv", "pip"},
            {"pytest", "fastapi-offline"},
        ),
        (CONTROLLER, {"kubernetes", "fastapi"}, {"mlflow-skinny", "pytest"}),
    ],
)
def test_its_packages_are_those_of_the_constraints(
    images: Images, image: str, wanted: set[str], unwanted: set[str]
) -> None:
    pinned = set(re.findall(r"^([\w.-]+)==([^\s;]+)", (ROOT / "constraints.txt").read_text(), re.MULTILINE))
    found = {(name, version) for name, version in json.loads(images.run(image, "python", "-c", LIST).stdout)}
    names = {name for name, _ in found}
    assert {"odahu-argo", *wanted} <= names
    assert not unwanted & names
    assert {name for name, _ in found - pinned} <= {"odahu-argo", "pip", "setuptools"}


def test_runner_packages_are_small(images: Images) -> None:
    script = "du -scm --exclude=__pycache__ /opt/odahu-argo/lib/python3*/site-packages | tail -n 1"
    result = images.run(RUNNER, "sh", "-c", script)
    assert int(result.stdout.split()[0]) <= MAX_RUNNER_PACKAGES, result.stdout


def test_a_training_runs_in_one_and_is_packaged_in_the_other(images: Images, tmp_path: Path) -> None:
    """Without a tracking server: MLflow's records are in the workspace."""
    workspace = Workspace(tmp_path / "workspace", tmp_path, tmp_path)
    write_project(workspace.repository)
    store = workspace.root / "store"
    store.mkdir()
    out = workspace.root / "connections" / "out"
    out.mkdir(parents=True)
    (out / "type").write_text("file")
    (out / "uri").write_text("file:///workspace/store")
    for path in (workspace.root, *workspace.root.rglob("*")):
        os.chown(path, USER, USER)
    trained = _step(images, TRAINING, workspace, "train", SPEC)
    assert f"done: run {workspace.read_result('run-id')} logged model 'model'" in trained
    _step(images, RUNNER, workspace, "package", PACKAGE)
    [archive] = store.iterdir()
    with zipfile.ZipFile(archive) as opened:
        assert {"odahuflow.project.yaml", "odahuflow_model/MLmodel", "odahuflow_model/head_input.pkl"} <= set(
            opened.namelist()
        )


def _step(images: Images, image: str, workspace: Workspace, name: str, spec: TrainSpec | PackageSpec) -> str:
    """What the step prints, which must end well."""
    variables = {
        contract.STEP_VARIABLE: contract.spec_to_json(spec),
        contract.TRACKING_VARIABLE: "sqlite:////workspace/mlflow.db",
        contract.MLFLOW_ARTIFACTS_VARIABLE: "file:///workspace/mlflow-artifacts",
        contract.CONNECTIONS_VARIABLE: "/workspace/connections",
        "HOME": "/workspace/home",
    }
    environment = [f"{each}={value}" for each, value in variables.items()]
    command = ["python", "-m", contract.MODULE, name]
    ended = images.run(image, "env", *environment, *command, workspace=workspace.root)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


def test_the_same_source_gives_the_same_image(images: Images) -> None:
    images.make("runner-image", f"IMAGE={RUNNER}-again")
    assert images.id(f"{RUNNER}-again") == images.id(RUNNER)


def test_the_image_of_the_example_has_the_models_packages_beside_ours(images: Images) -> None:
    folder = EXAMPLES / "03-custom-toolchain" / "image"
    images.buildah("build", "--quiet", "--build-arg", f"TRAINING={TRAINING}", "--tag", CACHE, str(folder))
    told = images.run(CACHE, "python", "-c", "import os, imblearn, odahu_argo; print(os.getuid())")
    assert told.stdout.strip() == str(USER), told.stderr
    assert images.run(CACHE, "pip", "check").returncode == 0
