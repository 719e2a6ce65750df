"""Environments of MLflow projects: built once from the environment file, or compared with the installed packages."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from odahu_argo.contract import TrainSpec
from odahu_argo.errors import UserError
from tests.servers.mlflow_project import SPEC, Tracking
from tests.servers.step_runner import StepRunner

MLPROJECT = """\
python_env: python_env.yaml
entry_points:
  main: {command: "python -c 'import mlflow; mlflow.log_metric(\\"m\\", 1); print(mlflow.__version__)'"}
"""
SMALL_MLFLOW = "dependencies: [mlflow-skinny==2.9.2, 'setuptools<80']\n"
UNAVAILABLE = "dependencies: [iniconfig==99]\n"


@pytest.fixture
def environments(step_runner: StepRunner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StepRunner:
    """A project with `python_env`, MLflow's file store, and an empty directory for environments."""
    directory = step_runner.repository / "project"
    directory.mkdir(parents=True)
    (directory / "MLproject").write_text(MLPROJECT)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", (tmp_path / "mlruns").as_uri())
    monkeypatch.setenv("ODAHU_ARGO_ENVIRONMENTS", str(tmp_path / "environments"))
    return step_runner


def spec(manager: str, **changes: object) -> TrainSpec:
    base = replace(SPEC, hyper_parameters={}, trainer="mlflow-project", environment_manager=manager)
    return replace(base, **changes)  # type: ignore[arg-type]


def write(step_runner: StepRunner, environment: str) -> None:
    (step_runner.repository / "project" / "python_env.yaml").write_text(environment)


def test_builds_environment_once(environments: StepRunner, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    write(environments, SMALL_MLFLOW)
    environments.run(spec("auto"))
    first = capfd.readouterr().out
    assert (
        "train: python_env.yaml differs from the installed packages:\ntrain:   mlflow-skinny==2.9.2 is required; "
        in first
    )
    assert "train: building the environment " in first
    assert "\n2.9.2\n" in first
    assert "train: metrics: m=1\n" in first
    environments.run(spec("auto"))
    assert f"train: using the environment {tmp_path}/environments/" in capfd.readouterr().out


def test_unavailable_requirement_is_user_error_before_run(environments: StepRunner) -> None:
    write(environments, UNAVAILABLE)
    with pytest.raises(UserError, match=r"the environment of python_env\.yaml cannot be created.*iniconfig==99"):
        environments.run(spec("auto"))
    assert environments.workspace.read_result("run-id") is None


def test_strict_rejects_differences(environments: StepRunner) -> None:
    write(environments, UNAVAILABLE)
    with pytest.raises(UserError, match=r"differ from python_env\.yaml: iniconfig==99 is required; .* is installed"):
        environments.run(spec("local", strict_environment=True))


def test_local_lists_differences(
    environments: StepRunner, tracking: Tracking, capfd: pytest.CaptureFixture[str]
) -> None:
    (environments.repository / "project" / "MLproject").write_text(MLPROJECT.replace("python -c", "true"))
    write(environments, UNAVAILABLE)
    environments.run(spec("local"))
    output = capfd.readouterr().out
    assert "train: warning: the installed packages differ from python_env.yaml" in output
    assert "train:   iniconfig==99 is required; " in output
