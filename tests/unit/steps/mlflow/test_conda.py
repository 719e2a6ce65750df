"""Environments built or updated by conda: a stand-in (`tests/servers/conda.py`), and once a real conda if installed."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from odahu_argo.contract import TrainSpec
from odahu_argo.errors import ServiceFault, UserError
from odahu_argo.launcher import installer
from odahu_argo.launcher.launch import EnvironmentFile
from odahu_argo.launcher.report import LaunchError
from tests.servers.conda import CONFLICT, FAILED_PIP, MISSING_PACKAGES, NO_NETWORK, Conda, install_conda
from tests.servers.mlflow_project import Tracking, entry_point
from tests.servers.step_runner import StepRunner

CONDA = shutil.which("conda")
FAIL: TrainSpec = replace(entry_point("fail"), environment_manager="auto")
"""A program that ends with status 7, because the environment is what these tests are about."""


@pytest.fixture(autouse=True)
def environments(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ODAHU_ARGO_ENVIRONMENTS", str(tmp_path / "environments"))
    return tmp_path / "environments"


def write(project: StepRunner, *dependencies: object, **others: object) -> None:
    content = {"dependencies": list(dependencies), **others}
    (project.repository / "project/conda.yaml").write_text(yaml.safe_dump(content))


def fails_with_status_7(project: StepRunner) -> None:
    with pytest.raises(UserError, match="status 7"):
        project.run(FAIL)


def test_environment_is_built_once(
    project: StepRunner, tracking: Tracking, conda: Conda, environments: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    write(project, "python=3.6", "cudatoolkit=10.1", "pip", {"pip": ["mlflow==1.5.0"]}, channels=["defaults"])
    fails_with_status_7(project)
    fails_with_status_7(project)
    [call] = conda.calls
    assert call.startswith(f"env create --quiet --prefix {environments}/")
    assert yaml.safe_load(conda.file) == {
        "channels": ["defaults"],
        "dependencies": ["python=3.6", "pip", "cudatoolkit=10.1", {"pip": ["mlflow==1.5.0"]}],
    }
    assert f"train: using the environment {environments}/" in capfd.readouterr().out


def test_micromamba_is_used_if_installed(
    project: StepRunner, tracking: Tracking, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    conda = install_conda(tmp_path / "conda", monkeypatch, "micromamba")
    write(project, "cudatoolkit=10.1", {"pip": ["mlflow"]})
    fails_with_status_7(project)
    assert conda.calls[0].startswith("create --yes --prefix ")


def test_conda_packages_without_conda_name_alternatives(project: StepRunner, monkeypatch: pytest.MonkeyPatch) -> None:
    write(project, "cudatoolkit=10.1")
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    monkeypatch.delenv("CONDA_EXE", raising=False)
    with pytest.raises(UserError, match=r"needs conda \(cudatoolkit=10\.1\), which is not installed") as raised:
        project.run(FAIL)
    assert "environment_manager: local in the profile, or --environment-manager local" in str(raised.value)


@pytest.mark.parametrize(
    ("output", "cause"),
    [
        pytest.param(MISSING_PACKAGES, "not available from current channels: - absent=1.2", id="missing"),
        pytest.param(CONFLICT, "requested packages have conflicting version constraints", id="conflict"),
        pytest.param(FAILED_PIP, "No matching distribution found for iniconfig==99", id="pip"),
    ],
)
def test_unsatisfiable_file_is_user_error_before_run(
    project: StepRunner, conda: Conda, output: str, cause: str, capfd: pytest.CaptureFixture[str]
) -> None:
    write(project, "absent=1.2")
    conda.fail(output)
    with pytest.raises(
        UserError, match=r"the environment of conda\.yaml cannot be created: conda exited with"
    ) as raised:
        project.run(FAIL)
    assert cause in str(raised.value)
    assert "Next steps" not in str(raised.value)
    assert "Current channels" not in str(raised.value)
    assert "%|" not in capfd.readouterr().out
    assert project.workspace.read_result("run-id") is None


def test_unreachable_channel_is_service_fault(
    project: StepRunner, conda: Conda, capfd: pytest.CaptureFixture[str]
) -> None:
    write(project, "absent=1.2")
    conda.fail(NO_NETWORK)
    with pytest.raises(ServiceFault, match="CONNECTION FAILED") as raised:
        project.run(FAIL)
    assert "s3cret" not in str(raised.value) + capfd.readouterr().out


@pytest.mark.skipif(CONDA is None, reason="conda is not installed")
def test_real_conda_reports_missing_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for platform in ("noarch", "linux-64"):
        (tmp_path / "channel" / platform).mkdir(parents=True)
        (tmp_path / "channel" / platform / "repodata.json").write_text(json.dumps({"packages": {}}))
    channel = (tmp_path / "channel").as_uri()
    monkeypatch.setenv("CONDA_CHANNELS", channel)
    file = EnvironmentFile("conda_env", str(tmp_path / "conda.yaml"), "3.11", [], ["absent=1.2"], [channel], "0")
    with pytest.raises(LaunchError, match=r"conda exited with status 1: .*absent"):
        installer.install_with_conda(CONDA or "", file, [], str(tmp_path / "environment"))


def test_named_environment_that_fulfils_file_is_used(
    project: StepRunner, tracking: Tracking, named_environment: Conda
) -> None:
    write(project, {"pip": ["pandas"]})
    fails_with_status_7(project)
    assert [call.split()[0] for call in named_environment.calls] == ["run"]
    assert named_environment.environments == {"cache"}


def test_named_environment_is_updated_by_what_differs(
    project: StepRunner, tracking: Tracking, named_environment: Conda, capfd: pytest.CaptureFixture[str]
) -> None:
    write(project, "python", "absent=1.2", {"pip": ["pandas", "iniconfig==99"]})
    fails_with_status_7(project)
    assert "env update --quiet --name cache --file " in named_environment.calls[-1]
    assert yaml.safe_load(named_environment.file)["dependencies"][2:] == ["absent=1.2", {"pip": ["iniconfig==99"]}]
    assert "train:   conda package absent=1.2 is required; it is not installed\n" in capfd.readouterr().out


def test_pip_requirement_is_installed_without_conda(project: StepRunner, named_environment: Conda) -> None:
    write(project, {"pip": ["pandas", "iniconfig==99"]})
    with pytest.raises(UserError, match="python exited with status 1: ERROR: Could not find a version"):
        project.run(FAIL)
    assert [call.split()[0] for call in named_environment.calls] == ["run"]


def test_failed_update_is_user_error(project: StepRunner, named_environment: Conda) -> None:
    write(project, "absent=1.2")
    named_environment.fail(MISSING_PACKAGES)
    with pytest.raises(
        UserError, match=r"the environment of conda\.yaml cannot be created: conda exited with status 1"
    ):
        project.run(FAIL)


def test_unknown_named_environment_is_user_error(
    project: StepRunner, named_environment: Conda, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ODAHU_CONDA_ENV_NAME", "other")
    with pytest.raises(UserError, match=r"environment 'other': EnvironmentLocationNotFound: Not a conda environment"):
        project.run(FAIL)


def test_named_environment_without_conda_is_user_error(project: StepRunner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CONDA_EXE", raising=False)
    monkeypatch.setenv("ODAHU_CONDA_ENV_NAME", "cache")
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    with pytest.raises(UserError, match="conda is not installed"):
        project.run(FAIL)
