"""Comparison of environment files with the installed packages."""

from __future__ import annotations

import platform
from importlib.metadata import version

import pytest

from odahu_argo.launcher.launch import EnvironmentFile
from odahu_argo.launcher.requirements import differences

PYTEST = version("pytest")


def environment_file(
    python: str | None = None, pip: tuple[str, ...] = (), conda: tuple[str, ...] = ()
) -> EnvironmentFile:
    return EnvironmentFile("conda_env", "/conda.yaml", python, list(pip), list(conda), [], "0")


@pytest.mark.parametrize(
    "file",
    [
        environment_file(platform.python_version()),
        environment_file(".".join(platform.python_version_tuple()[:2]) + ".99"),
        environment_file(">=3.8"),
        environment_file(
            pip=("pytest", f"pytest=={PYTEST}", "PyTest>=1", "absent; python_version < '3'", "--no-cache")
        ),
        environment_file(
            conda=("pytest", f"conda-forge::pytest={PYTEST}", f"pytest={PYTEST.split('.')[0]}", "pytest>=1,<99")
        ),
    ],
)
def test_fulfilled_requirements(file: EnvironmentFile) -> None:
    assert differences(file) == []


@pytest.mark.parametrize(
    ("file", "difference"),
    [
        (environment_file("3.6"), f"Python 3.6 is required; {platform.python_version()} is installed"),
        (environment_file(pip=("pytest==0.1",)), f"pytest==0.1 is required; {PYTEST} is installed"),
        (environment_file(pip=("absent>2",)), "absent>2 is required; it is not installed"),
        (
            environment_file(pip=("pytest @ git+https://example.org/x",)),
            "pytest @ git+https://example.org/x cannot be compared",
        ),
        (environment_file(pip=("./local",)), "./local cannot be compared"),
        (environment_file(conda=("pytest=0.1",)), f"conda package pytest=0.1 is required; {PYTEST} is installed"),
        (
            environment_file(conda=("cudatoolkit=10.1",)),
            "conda package cudatoolkit=10.1 is required; it is not installed",
        ),
    ],
)
def test_difference_names_required_and_installed_version(file: EnvironmentFile, difference: str) -> None:
    assert [each.message for each in differences(file)] == [difference]
