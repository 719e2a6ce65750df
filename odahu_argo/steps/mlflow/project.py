"""MLflow projects: reading the MLproject file, checking hyperparameters against it, and rendering the command.

MLflow is not imported: the runner image has none, and MLflow's public API hides what a user needs to know, such as the
declared parameters. Format: https://mlflow.org/docs/latest/ml/projects/
"""

from __future__ import annotations

import difflib
import os
import re
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import url2pathname

import yaml

from odahu_argo.errors import UserError
from odahu_argo.launcher.launch import EnvironmentFile
from odahu_argo.steps.mlflow.environment_file import CONDA_ENV, PYTHON_ENV, read_environment_file

_SCRIPT_SUFFIXES = (".py", ".sh")
_DEFAULT_FILES = {PYTHON_ENV: "python_env.yaml", CONDA_ENV: "conda.yaml"}
_HINT = "see MLflow's documentation of projects"
_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:/")


@dataclass(frozen=True, slots=True)
class ProjectParameter:
    """A declared parameter. `default` is None if it is required."""

    type: str = "string"
    default: str | None = None


@dataclass(frozen=True, slots=True)
class ProjectEntryPoint:
    """An entry point of an MLflow project. A script accepts any parameter."""

    name: str
    command: str
    parameters: Mapping[str, ProjectParameter] = field(default_factory=dict)
    is_script: bool = False


@dataclass(frozen=True, slots=True)
class Project:
    """An MLproject file. `environment` is its `python_env` or `conda_env`, or the default file if it exists."""

    directory: Path
    entry_points: Mapping[str, ProjectEntryPoint]
    environment: EnvironmentFile | None


@dataclass(frozen=True, slots=True)
class ProjectCommand:
    """The shell command of an entry point, all its parameters with defaults, and files to download first by path."""

    command: str
    parameters: Mapping[str, str]
    downloads: Mapping[str, str]


def read_project(directory: Path) -> Project:
    """Read the MLproject file in the directory.

    Raises:
        UserError: It is missing or invalid, or requires Docker or Databricks.
    """
    if not directory.is_dir():
        raise UserError(
            f"workDir is not a directory of the repository: {directory}", hint="check workDir and the git reference"
        )
    file = next((entry for entry in sorted(directory.iterdir()) if entry.name.lower() == "mlproject"), None)
    if file is None:
        raise UserError(
            f"there is no MLproject file in {directory}", hint="set workDir to the directory of the MLflow project"
        )
    try:
        content = yaml.safe_load(file.read_text("utf-8"))
        if not isinstance(content, dict):
            raise ValueError("it must be a mapping")
        if content.get("docker_env") or content.get("databricks_spark_job"):
            raise UserError(
                f"the MLproject in {directory} requires Docker or Databricks",
                hint="remove docker_env or databricks_spark_job; the image is set in the training",
            )
        declared = content.get("entry_points") or {}
        entry_points = {str(name): _parse_entry_point(str(name), value) for name, value in declared.items()}
        return Project(directory, entry_points, _environment(directory, content))
    except (yaml.YAMLError, AttributeError, TypeError, ValueError, OSError) as error:
        raise UserError(f"the MLproject in {directory} cannot be read: {error}", hint=_HINT) from error


def find_entry_point(project: Project, name: str) -> ProjectEntryPoint:
    """Return an entry point of the project, or a script (`train.py`, `train.sh`) that is not declared.

    Raises:
        UserError: The entry point is unknown, or the script does not exist.
    """
    declared = project.entry_points
    if name in declared:
        return declared[name]
    if not name.endswith(_SCRIPT_SUFFIXES):
        raise UserError(
            f"the MLproject in {project.directory} has no entry point {name!r}",
            hint=_suggest(name, declared) + _list_names("entry points", declared),
        )
    if not (project.directory / name).is_file():
        raise UserError(
            f"script {name!r} does not exist in {project.directory}", hint=_list_names("entry points", declared)
        )
    program = "python" if name.endswith(".py") else os.environ.get("SHELL", "bash")
    return ProjectEntryPoint(name, f"{program} {shlex.quote(name)}", is_script=True)


def render_command(
    entry_point: ProjectEntryPoint, hyper_parameters: Mapping[str, str], downloads: Path
) -> ProjectCommand:
    """Check the hyperparameters and insert them, quoted, into the command.

    Parameters of type `path` are relative to the working directory; URIs become files in the directory `downloads`.

    Raises:
        UserError: A hyperparameter is missing, unknown, not an existing file, or not a URI.
    """
    declared = entry_point.parameters
    if not entry_point.is_script:
        _check_hyper_parameters(entry_point.name, declared, hyper_parameters)
    defaults = {name: parameter.default for name, parameter in declared.items() if parameter.default is not None}
    parameters = {**defaults, **hyper_parameters}
    values, downloaded = dict(parameters), {}
    for position, (name, parameter) in enumerate(declared.items()):
        value = values[name]
        if parameter.type == "uri" and not _URI.match(value):
            raise UserError(f"the hyperparameter {name!r} must be a URI, not {value!r}", hint="write SCHEME://…")
        if parameter.type == "path":
            values[name] = _path_value(name, value, downloads / f"param_{position}")
            if _URI.match(value) and not value.startswith("file:"):
                downloaded[values[name]] = value
    quoted = {name: shlex.quote(value) for name, value in values.items()}
    try:
        command = entry_point.command.format(**{name: quoted[name] for name in declared})
    except (LookupError, ValueError) as error:
        raise UserError(
            f"the command of entry point {entry_point.name!r} cannot be rendered: {type(error).__name__}: {error}",
            hint="write parameters as {name}, and other braces twice: {{ }}",
        ) from error
    extra = [f"--{shlex.quote(name)} {quoted[name]}" for name in values if name not in declared]
    return ProjectCommand(" ".join([command, *extra]), parameters, downloaded)


def _parse_entry_point(name: str, content: Any) -> ProjectEntryPoint:
    command = content.get("command")
    if not isinstance(command, str):
        raise ValueError(f"entry point {name!r} has no command")
    parameters = {str(key): _parse_parameter(value) for key, value in (content.get("parameters") or {}).items()}
    return ProjectEntryPoint(name, command, parameters)


def _parse_parameter(content: Any) -> ProjectParameter:
    if isinstance(content, str):
        return ProjectParameter(content)
    default = content.get("default")
    return ProjectParameter(str(content.get("type", "string")), None if default is None else str(default))


def _environment(directory: Path, content: Mapping[str, Any]) -> EnvironmentFile | None:
    declared = {kind: str(content[kind]) for kind in _DEFAULT_FILES if content.get(kind)}
    if len(declared) > 1:
        raise ValueError("it must not contain both python_env and conda_env")
    for kind, name in declared.items():
        if not (directory / name).is_file():
            raise ValueError(f"{kind} refers to {name!r}, which does not exist")
        return read_environment_file(directory / name, kind)
    existing = [kind for kind, name in _DEFAULT_FILES.items() if (directory / name).is_file()]
    return read_environment_file(directory / _DEFAULT_FILES[existing[0]], existing[0]) if existing else None


def _path_value(name: str, value: str, directory: Path) -> str:
    if _URI.match(value) and not value.startswith("file:"):
        return str(directory / Path(urlsplit(value).path).name)
    path = Path(url2pathname(urlsplit(value).path) if value.startswith("file:") else value).absolute()
    if not path.exists():
        raise UserError(
            f"the hyperparameter {name!r} is {value!r}, but no such file or directory exists",
            hint="a hyperparameter of type path must be the path of an existing file, relative to the repository's root",
        )
    return os.path.normpath(path)


def _check_hyper_parameters(
    entry_point: str, parameters: Mapping[str, ProjectParameter], hyper_parameters: Mapping[str, str]
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


def _suggest(name: str, names: Iterable[str]) -> str:
    similar = difflib.get_close_matches(name, list(names), n=1)
    return f"did you mean {similar[0]!r}? " if similar else ""


def _list_names(kind: str, names: Iterable[str]) -> str:
    return f"{kind} of this project: {', '.join(names) or 'none'}"
