"""MLflow projects: reading the MLproject file, checking hyperparameters against it, and starting its program.

MLflow's public API hides what a user needs to know: the declared parameters and the program's exit status. Its internal
modules are therefore imported here, and only here.
"""

from __future__ import annotations

import difflib
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from odahu_argo.errors import ServiceFault, UserError

ENVIRONMENT_MANAGERS = ("local", "virtualenv", "conda", "uv")
_SCRIPT_SUFFIXES = (".py", ".sh")


@dataclass(frozen=True, slots=True)
class ProjectEntryPoint:
    """An entry point of an MLflow project with the values of all parameters, including defaults."""

    directory: Path
    name: str
    parameters: Mapping[str, str]
    conda_file: Path | None


def read_entry_point(directory: Path, name: str, hyper_parameters: Mapping[str, str]) -> ProjectEntryPoint:
    """Read an entry point of the project in `directory` and check the hyperparameters against it.

    A script (`train.py`, `train.sh`) that is not declared in the MLproject is an entry point too; it accepts any parameter.

    Raises:
        UserError: The MLproject is missing or invalid, the entry point is unknown, or a hyperparameter is missing or unknown.
    """
    project = _load_project(directory)
    declared = project._entry_points
    conda_file = _find_conda_file(directory, project)
    if name not in declared and name.endswith(_SCRIPT_SUFFIXES):
        if not (directory / name).is_file():
            raise UserError(
                f"script {name!r} does not exist in {directory}", hint=_list_names("entry points", declared)
            )
        return ProjectEntryPoint(directory, name, dict(hyper_parameters), conda_file)
    if name not in declared:
        raise UserError(
            f"the MLproject in {directory} has no entry point {name!r}",
            hint=_suggest(name, declared) + _list_names("entry points", declared),
        )
    parameters = declared[name].parameters
    _check_hyper_parameters(name, parameters, hyper_parameters)
    defaults = {key: str(value.default) for key, value in parameters.items() if value.default is not None}
    return ProjectEntryPoint(directory, name, {**defaults, **hyper_parameters}, conda_file)


def start_program(
    entry_point: ProjectEntryPoint,
    hyper_parameters: Mapping[str, str],
    environment_manager: str,
    experiment_id: str,
    run_id: str,
) -> subprocess.Popen[Any]:
    """Prepare the project's environment and start its program, which logs to the run and inherits standard output.

    Raises:
        UserError: MLflow rejects the project, its parameters or its environment.
        ServiceFault: A command that prepares the environment failed, possibly because of the network.
    """
    from mlflow.exceptions import ExecutionException, MlflowException
    from mlflow.projects.backend.local import LocalBackend
    from mlflow.projects.utils import (
        MLFLOW_LOCAL_BACKEND_RUN_ID_CONFIG,
        PROJECT_BUILD_IMAGE,
        PROJECT_DOCKER_ARGS,
        PROJECT_DOCKER_AUTH,
        PROJECT_ENV_MANAGER,
        PROJECT_STORAGE_DIR,
        PROJECT_SYNCHRONOUS,
    )
    from mlflow.utils.process import ShellCommandException

    settings = {
        MLFLOW_LOCAL_BACKEND_RUN_ID_CONFIG: run_id,
        PROJECT_ENV_MANAGER: environment_manager,
        PROJECT_SYNCHRONOUS: True,
        PROJECT_DOCKER_ARGS: None,
        PROJECT_STORAGE_DIR: None,
        PROJECT_BUILD_IMAGE: False,
        PROJECT_DOCKER_AUTH: None,
    }
    try:
        backend: Any = LocalBackend()
        submitted = backend.run(
            project_uri=str(entry_point.directory),
            entry_point=entry_point.name,
            params=dict(hyper_parameters),
            version=None,
            backend_config=settings,
            tracking_uri=None,
            experiment_id=experiment_id,
        )
    except (ExecutionException, MlflowException) as error:
        raise UserError(
            f"the MLflow project cannot be run: {error}",
            hint="a hyperparameter of type path must be the path of an existing file, relative to the repository's root",
        ) from error
    except ShellCommandException as error:
        raise ServiceFault(
            f"the {environment_manager} environment of the MLflow project could not be prepared",
            hint="see the log above: a package in its environment file may be misspelled, or the network may have failed",
        ) from error
    process: subprocess.Popen[Any] = submitted.command_proc
    return process


def _load_project(directory: Path) -> Any:
    from mlflow.exceptions import MlflowException
    from mlflow.projects._project_spec import load_project
    from yaml import YAMLError

    if not directory.is_dir():
        raise UserError(
            f"workDir is not a directory of the repository: {directory}", hint="check workDir and the git reference"
        )
    if not any(entry.name.lower() == "mlproject" for entry in directory.iterdir()):
        raise UserError(
            f"there is no MLproject file in {directory}", hint="set workDir to the directory of the MLflow project"
        )
    try:
        load: Any = load_project
        project = load(str(directory))
    except (MlflowException, YAMLError, AttributeError, TypeError, ValueError, OSError) as error:
        raise UserError(
            f"the MLproject in {directory} cannot be read: {error}", hint="see MLflow's documentation of projects"
        ) from error
    if project.docker_env or project.databricks_spark_job_spec:
        raise UserError(
            f"the MLproject in {directory} requires Docker or Databricks",
            hint="remove docker_env or databricks_spark_job; the image is set in the training",
        )
    return project


def _find_conda_file(directory: Path, project: Any) -> Path | None:
    if project.env_type == "conda_env" and project.env_config_path:
        return Path(project.env_config_path)
    default = directory / "conda.yaml"
    return default if default.is_file() else None


def _check_hyper_parameters(
    entry_point: str, parameters: Mapping[str, Any], hyper_parameters: Mapping[str, str]
) -> None:
    listed = _list_names("parameters", parameters)
    unknown = [name for name in hyper_parameters if name not in parameters]
    if unknown:
        raise UserError(
            f"entry point {entry_point!r} has no parameter {', '.join(map(repr, unknown))}",
            hint="".join(_suggest(name, parameters) for name in unknown) + listed,
        )
    missing = [name for name, value in parameters.items() if value.default is None and name not in hyper_parameters]
    if missing:
        raise UserError(
            f"entry point {entry_point!r} requires a value for {', '.join(map(repr, missing))}, which has no default",
            hint=f"set it in hyperParameters; {listed}",
        )


def _suggest(name: str, names: Mapping[str, Any]) -> str:
    similar = difflib.get_close_matches(name, list(names), n=1)
    return f"did you mean {similar[0]!r}? " if similar else ""


def _list_names(kind: str, names: Mapping[str, Any]) -> str:
    return f"{kind} of this project: {', '.join(names) or 'none'}"
