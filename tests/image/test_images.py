"""The runner, training and controller images, and an example image based on training. Run by `make test-image`."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest

from odahu_argo import contract
from odahu_argo.contract import PackageSpec, TrainSpec, Workspace
from odahu_argo.profile import Profile
from tests.archives import read_tar
from tests.conftest import EXAMPLES, ROOT
from tests.servers.images import ImageStore
from tests.servers.mlflow_project import PACKAGE, SPEC, write_project

pytestmark = [pytest.mark.image, pytest.mark.timeout(1200)]

RUNNER = "localhost/odahu-argo-runner"
TRAINING = "localhost/odahu-argo-training"
CONTROLLER = "localhost/odahu-argo-controller"
EXAMPLE = "localhost/sklearn-cached"
MAX_RUNNER_PACKAGES_MIB = 170
"""Size limit of the runner's Python packages without bytecode."""
USER = Profile().user_id


@pytest.fixture(scope="module", autouse=True)
def built_images(image_store: ImageStore) -> None:
    image_store.make("image", f"IMAGE={RUNNER}", f"TRAINING_IMAGE={TRAINING}", f"CONTROLLER_IMAGE={CONTROLLER}")


@pytest.mark.parametrize("image", [RUNNER, TRAINING, CONTROLLER])
def test_user_is_the_profile_user_and_owns_only_its_home(image_store: ImageStore, image: str) -> None:
    result = image_store.run(
        image, "sh", "-c", "id -u; id -g; echo ~; pwd; find / -xdev -user $(id -u) -not -path '/proc/*'"
    )
    assert result.stdout.split() == [str(USER), str(USER), "/home/odahu", "/", "/home/odahu"], result.stderr


@pytest.mark.parametrize("image", [RUNNER, TRAINING])
def test_entrypoint_without_a_step_prints_usage(image_store: ImageStore, image: str) -> None:
    template = "{{range .OCIv1.Config.Entrypoint}}{{.}} {{end}}"
    entrypoint = image_store.buildah("inspect", "--type", "image", "--format", template, image).split()
    assert entrypoint == ["python", "-m", contract.MODULE]
    result = image_store.run(image, *entrypoint)
    assert result.returncode == 2
    assert "python -m odahu_argo.steps checkout|download|train|package" in result.stdout


@pytest.mark.parametrize(
    ("image", "command", "output"),
    [
        (RUNNER, ["git", "--version"], "git version 2."),
        (RUNNER, ["git", "lfs", "version"], "git-lfs/"),
        (RUNNER, ["git", "config", "--system", "filter.lfs.process"], "git-lfs filter-process"),
        (RUNNER, ["ssh", "-V"], "OpenSSH_"),
        (RUNNER, ["python", "-c", "import yaml; print(yaml.__cached__)"], "/opt/odahu-argo/lib/"),
        (CONTROLLER, ["odahu-argo", "recorder", "--help"], "Usage: odahu-argo recorder"),
        (CONTROLLER, ["odahu-argo", "server", "--help"], "Usage: odahu-argo server"),
        (CONTROLLER, ["python", "-c", "import odahu_argo.server.app; print('imported')"], "imported"),
        (TRAINING, ["bash", "-c", "command -v python"], "/opt/odahu-argo/bin/python"),
        (TRAINING, ["odahu-argo", "mlflow-server", "--", "--help"], "--app-name"),
        (TRAINING, ["pip", "check"], "No broken requirements found."),
        (TRAINING, ["python", "-c", "import sys; print(sys.version_info >= (3, 11))"], "True"),
        (TRAINING, ["python", "-c", "import sklearn, yaml; print(yaml.__cached__)"], "/opt/odahu-argo/lib/"),
    ],
)
def test_command_runs(image_store: ImageStore, image: str, command: list[str], output: str) -> None:
    result = image_store.run(image, *command)
    assert output in result.stdout + result.stderr
    assert result.returncode == 0, result.stdout + result.stderr


LIST_PACKAGES = """
import json, re
from importlib.metadata import distributions
print(json.dumps([[re.sub("[-_.]+", "-", package.name).lower(), package.version] for package in distributions()]))
"""


@pytest.mark.parametrize(
    ("image", "included", "excluded"),
    [
        (RUNNER, {"uv", "obstore", "boto3"}, {"mlflow", "mlflow-skinny", "pandas", "numpy", "pip", "kubernetes"}),
        (
            TRAINING,
            {"mlflow", "pandas", "psycopg-binary", "pyarrow", "scikit-learn", "virtualenv", "pip"},
            {"pytest", "fastapi-offline"},
        ),
        (CONTROLLER, {"kubernetes", "fastapi"}, {"mlflow-skinny", "pytest"}),
    ],
)
def test_packages_have_pinned_versions(
    image_store: ImageStore, image: str, included: set[str], excluded: set[str]
) -> None:
    pinned = set(re.findall(r"^([\w.-]+)==([^\s;]+)", (ROOT / "constraints.txt").read_text(), re.MULTILINE))
    result = image_store.run(image, "python", "-c", LIST_PACKAGES)
    installed = {(name, version) for name, version in json.loads(result.stdout)}
    names = {name for name, _ in installed}
    assert {"odahu-argo", *included} <= names
    assert not excluded & names
    assert {name for name, _ in installed - pinned} <= {"odahu-argo", "pip", "setuptools"}


def test_runner_packages_are_small(image_store: ImageStore) -> None:
    script = "du -scm --exclude=__pycache__ /opt/odahu-argo/lib/python3*/site-packages | tail -n 1"
    result = image_store.run(RUNNER, "sh", "-c", script)
    assert int(result.stdout.split()[0]) <= MAX_RUNNER_PACKAGES_MIB, result.stdout


def test_runner_prepares_and_packages_and_training_image_trains(image_store: ImageStore, tmp_path: Path) -> None:
    """Run the containers of both steps without a tracking server: MLflow's database is in the workspace."""
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
    _run_step(image_store, RUNNER, workspace, contract.PREPARE, SPEC)
    train_log = _run(image_store, TRAINING, workspace, ["/bin/sh", "/workspace/launch/start.sh"])
    assert f"done: run {workspace.read_result('run-id')} logged model 'model'" in train_log
    _run_step(image_store, RUNNER, workspace, "package", PACKAGE)
    [artifact] = store.iterdir()
    members = read_tar(artifact).keys()
    assert {"odahuflow.project.yaml", "odahuflow_model/MLmodel", "odahuflow_model/head_input.pkl"} <= members


def _run_step(
    image_store: ImageStore, image: str, workspace: Workspace, name: str, spec: TrainSpec | PackageSpec
) -> str:
    """Run a step in the image, assert its success and return its log."""
    specification = f"{contract.STEP_VARIABLE}={contract.spec_to_json(spec)}"
    return _run(image_store, image, workspace, ["env", specification, "python", "-m", contract.MODULE, name])


def _run(image_store: ImageStore, image: str, workspace: Workspace, command: list[str]) -> str:
    variables = {
        contract.TRACKING_VARIABLE: "sqlite:////workspace/mlflow.db",
        contract.MLFLOW_ARTIFACTS_VARIABLE: "file:///workspace/mlflow-artifacts",
        contract.CONNECTIONS_VARIABLE: "/workspace/connections",
        "HOME": "/workspace/home",
    }
    environment = [f"{variable}={value}" for variable, value in variables.items()]
    result = image_store.run(image, "env", *environment, *command, workspace=workspace.root)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


def test_build_is_reproducible(image_store: ImageStore) -> None:
    image_store.make("runner-image", f"IMAGE={RUNNER}-rebuilt", options="--no-cache")
    assert image_store.image_id(f"{RUNNER}-rebuilt") == image_store.image_id(RUNNER)


def test_example_image_adds_packages_to_the_training_image(image_store: ImageStore) -> None:
    context = EXAMPLES / "03-custom-toolchain" / "image"
    image_store.buildah("build", "--quiet", "--build-arg", f"TRAINING={TRAINING}", "--tag", EXAMPLE, str(context))
    result = image_store.run(EXAMPLE, "python", "-c", "import os, imblearn, odahu_argo; print(os.getuid())")
    assert result.stdout.strip() == str(USER), result.stderr
    assert image_store.run(EXAMPLE, "pip", "check").returncode == 0
