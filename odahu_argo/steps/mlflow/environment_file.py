"""The environment file of an MLflow project: `python_env` or `conda_env`.

Formats: https://mlflow.org/docs/latest/ml/projects/#python-environments and conda's environment.yml.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from odahu_argo.errors import UserError
from odahu_argo.launcher.launch import EnvironmentFile

PYTHON_ENV = "python_env"
CONDA_ENV = "conda_env"
_PIP_TOOLS = ("pip", "setuptools", "wheel")
_PYTHON_SPEC = re.compile(
    r"(?:[\w./-]+::)?python\s*(?:(?P<exact>=?=?\s*[\d.]+(?:\.\*)?)(?:=\S+)?|(?P<range>[<>!~].+))?"
)
_INCLUDE = re.compile(r"(?:-r|--requirement)[\s=]+(.+)")
_MAX_DEPTH = 5
"""Levels of requirements files that include each other."""


def read_environment_file(file: Path, kind: str) -> EnvironmentFile:
    """Read an environment file of the kind `python_env` or `conda_env`. Requirements files that it includes are inserted.

    Raises:
        UserError: The file, or a requirements file that it includes, is missing or invalid.
    """
    try:
        content = yaml.safe_load(file.read_text("utf-8")) or {}
        if not isinstance(content, dict):
            raise ValueError("it must be a mapping")
        parts = _read_python_env(content) if kind == PYTHON_ENV else _read_conda_env(content)
    except (yaml.YAMLError, AttributeError, TypeError, ValueError, OSError) as error:
        raise UserError(f"the environment file {file} cannot be read: {error}", hint="correct the file") from error
    python, pip, conda, channels = parts
    lines = list(_include(pip, file.parent, _MAX_DEPTH))
    text = json.dumps([kind, python, lines, conda, channels])
    digest = hashlib.sha256(text.encode()).hexdigest()[:16]
    return EnvironmentFile(kind, str(file), python, lines, conda, channels, digest)


def _read_python_env(content: Mapping[str, Any]) -> tuple[str | None, list[str], list[str], list[str]]:
    python = content.get("python")
    lines = [*_texts(content.get("build_dependencies")), *_texts(content.get("dependencies"))]
    return None if python is None else str(python).strip(), lines, [], []


def _read_conda_env(content: Mapping[str, Any]) -> tuple[str | None, list[str], list[str], list[str]]:
    python: str | None = None
    pip: list[str] = []
    conda: list[str] = []
    for dependency in content.get("dependencies") or []:
        if isinstance(dependency, dict):
            pip += _texts(dependency.get("pip"))
        elif match := _PYTHON_SPEC.fullmatch(str(dependency).strip()):
            exact, version_range = match["exact"], match["range"]
            python = exact.lstrip("= ") if exact else version_range
        elif re.split(r"[\s=<>!~]", str(dependency).strip(), maxsplit=1)[0] not in _PIP_TOOLS:
            conda.append(str(dependency).strip())
    return python, pip, conda, _texts(content.get("channels"))


def _texts(values: Any) -> list[str]:
    if values is not None and not isinstance(values, list):
        raise ValueError(f"{values!r} must be a list")
    return [str(value).strip() for value in values or []]


def _include(lines: Iterable[str], directory: Path, depth: int) -> Iterator[str]:
    """Yield the requirements of lines such as `-r requirements.txt`, and all other lines without comments."""
    for line in lines:
        line = re.sub(r"(^|\s)#.*", "", line).strip()
        match = _INCLUDE.fullmatch(line)
        if match is None:
            yield from [line] if line else []
            continue
        file = directory / match[1].strip()
        try:
            if depth == 0:
                raise ValueError("requirements files include each other")
            text = file.read_text("utf-8").replace("\\\n", " ")
        except (OSError, ValueError) as error:
            raise UserError(f"the requirements file {file} cannot be read: {error}", hint="correct its path") from error
        yield from _include(text.splitlines(), file.parent, depth - 1)
