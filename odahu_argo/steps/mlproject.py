"""An MLflow project: read, held against the training's hyperparameters, started.

MLflow offers no public way to do any of the three without hiding what we must tell the user (the parameters there are, the
program's exit status), so its inner modules are imported here, and only here.
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
_SCRIPTS = (".py", ".sh")


@dataclass(frozen=True, slots=True)
class EntryPoint:
    """What will be run, with the value of every parameter, defaults filled in."""

    folder: Path
    name: str
    parameters: Mapping[str, str]
    conda_file: Path | None


def read_entry_point(folder: Path, name: str, hyper_parameters: Mapping[str, str]) -> EntryPoint:
    """The entry point of the project in `folder`, whose hyperparameters are found to be right.

    A script (`train.py`, `train.sh`) that the MLproject does not name is an entry point too; it takes any parameter.

    Raises:
        UserError: no MLproject, an unreadable one, an unknown entry point, a missing or unknown hyperparameter.
    """
    project = _load(folder)
    declared = project._entry_points
    conda_file = _conda_file(folder, project)
    if name not in declared and name.endswith(_SCRIPTS):
        if not (folder / name).is_file():
            raise UserError(f"there is no script {name!r} in {folder}", hint=_known("entry points", declared))
        return EntryPoint(folder, name, dict(hyper_parameters), conda_file)
    if name not in declared:
        raise UserError(
            f"the MLproject in {folder} has no entry point {name!r}",
            hint=_nearest(name, declared) + _known("entry points", declared),
        )
    parameters = declared[name].parameters
    _check_hyper_parameters(name, parameters, hyper_parameters)
    defaults = {key: str(value.default) for key, value in parameters.items() if value.default is not None}
    return EntryPoint(folder, name, {**defaults, **hyper_parameters}, conda_file)


def start(
    entry_point: EntryPoint, hyper_parameters: Mapping[str, str], manager: str, experiment: str, run_id: str
) -> subprocess.Popen[Any]:
    """Prepare the project's environment and start its program, which logs to the run and prints where we print.

    Raises:
        UserError: MLflow refuses the project, its parameters or its environment.
        ServiceFault: a program that prepares the environment failed, perhaps for the network.
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
        PROJECT_ENV_MANAGER: manager,
        PROJECT_SYNCHRONOUS: True,
        PROJECT_DOCKER_ARGS: None,
        PROJECT_STORAGE_DIR: None,
        PROJECT_BUILD_IMAGE: False,
        PROJECT_DOCKER_AUTH: None,
    }
    try:
        backend: Any = LocalBackend()
        submitted = backend.run(
            project_uri=str(entry_point.folder),
            entry_point=entry_point.name,
            params=dict(hyper_parameters),
            version=None,
            backend_config=settings,
            tracking_uri=None,
            experiment_id=experiment,
        )
    except (ExecutionException, MlflowException) as error:
        raise UserError(
            f"the MLflow project cannot be run: {error}",
            hint="a hyperparameter of type path must exist, seen from the repository's root",
        ) from error
    except ShellCommandException as error:
        raise ServiceFault(
            f"the {manager} environment of the MLflow project could not be prepared",
            hint="see the lines above; a package may be misspelt in its environment file, or the network have failed",
        ) from error
    process: subprocess.Popen[Any] = submitted.command_proc
    return process


def _load(folder: Path) -> Any:
    from mlflow.exceptions import MlflowException
    from mlflow.projects._project_spec import load_project
    from yaml import YAMLError

    if not folder.is_dir():
        raise UserError(
            f"workDir names no folder of the repository: {folder}", hint="check workDir and the git reference"
        )
    if not any(entry.name.lower() == "mlproject" for entry in folder.iterdir()):
        raise UserError(
            f"there is no MLproject file in {folder}", hint="workDir must name the folder of the MLflow project"
        )
    try:
        load: Any = load_project
        project = load(str(folder))
    except (MlflowException, YAMLError, AttributeError, TypeError, ValueError, OSError) as error:
        raise UserError(
            f"the MLproject in {folder} cannot be read: {error}", hint="see MLflow's page on projects"
        ) from error
    if project.docker_env or project.databricks_spark_job_spec:
        raise UserError(
            f"the MLproject in {folder} wants to run in docker or on Databricks",
            hint="take docker_env or databricks_spark_job out; the image is set in the training",
        )
    return project


def _conda_file(folder: Path, project: Any) -> Path | None:
    if project.env_type == "conda_env" and project.env_config_path:
        return Path(project.env_config_path)
    usual = folder / "conda.yaml"
    return usual if usual.is_file() else None


def _check_hyper_parameters(entry_point: str, parameters: Mapping[str, Any], given: Mapping[str, str]) -> None:
    known = _known("parameters", parameters)
    unknown = [name for name in given if name not in parameters]
    if unknown:
        raise UserError(
            f"entry point {entry_point!r} has no parameter {', '.join(map(repr, unknown))}",
            hint="".join(_nearest(name, parameters) for name in unknown) + known,
        )
    missing = [name for name, value in parameters.items() if value.default is None and name not in given]
    if missing:
        raise UserError(
            f"entry point {entry_point!r} needs a value for {', '.join(map(repr, missing))}, which has no default",
            hint=f"set it in hyperParameters; {known}",
        )


def _nearest(name: str, known: Mapping[str, Any]) -> str:
    near = difflib.get_close_matches(name, list(known), n=1)
    return f"did you mean {near[0]!r}? " if near else ""


def _known(what: str, known: Mapping[str, Any]) -> str:
    return f"{what} of this project: {', '.join(known) or 'none'}"
