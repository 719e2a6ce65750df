"""Differences between an environment file and the installed packages of this Python."""

import json
import os
import platform
import re
import sys
from typing import Any, Dict, List, NamedTuple, Optional

from odahu_argo.launcher.launch import EnvironmentFile

_CONDA_SPEC = re.compile(r"(?:[\w./-]+::)?([\w.-]+)\s*(.*)")
_EXACT_CONDA = re.compile(r"={1,2}\s*([^=\s,<>!~]+?)(?:\.\*)?(?:=\S*)?|([\w.]+?)(?:\.\*)?(?:=\S*)?")


class PackageDifference(NamedTuple):
    """A requirement that the installed packages do not fulfil.

    `kind` is `python`, `conda`, `pip`, or `all` if nothing can be compared. `requirement` is as in the file, and `message`
    contains the installed version.
    """

    kind: str
    requirement: str
    message: str


def differences(file: EnvironmentFile) -> List[PackageDifference]:
    """Return each requirement of the file that this Python's packages do not fulfil.

    Only the major and minor version of Python are compared. Requirements that cannot be compared, such as a package at a URL,
    count as differences.
    """
    found = []
    if file.python and not python_matches(file.python):
        message = "Python {} is required; {} is installed".format(file.python, platform.python_version())
        found.append(PackageDifference("python", file.python, message))
    packaging = _import_packaging()
    if packaging is None and (file.pip or file.conda):
        message = "packages cannot be compared, because {} lacks packaging and pip".format(sys.executable)
        return [*found, PackageDifference("all", "", message)]
    conda = _conda_packages()
    for line in file.pip:
        found += [PackageDifference("pip", line, message) for message in _pip_difference(line, packaging)]
    for spec in file.conda:
        found += [PackageDifference("conda", spec, message) for message in _conda_difference(spec, packaging, conda)]
    return found


def python_matches(version: str) -> bool:
    """Return whether this Python has the major and minor version of `3.9.13`, or fulfils a specifier such as `>=3.8`."""
    if version[0].isdigit():
        parts = [part for part in version.split(".")[:2] if part != "*"]
        return parts == platform.python_version().split(".")[: len(parts)]
    packaging = _import_packaging()
    return packaging is not None and bool(_fulfils(packaging, version, platform.python_version()))


def _import_packaging() -> Any:
    """Return the modules `requirements` and `specifiers` of packaging, which pip contains too, or None."""
    for package in ("packaging", "pip._vendor.packaging"):
        try:
            __import__(package + ".requirements")
            __import__(package + ".specifiers")
        except ImportError:
            continue
        return sys.modules[package]
    return None


def _pip_difference(line: str, packaging: Any) -> List[str]:
    if line.startswith("--"):
        return []
    try:
        requirement = packaging.requirements.Requirement(line)
    except packaging.requirements.InvalidRequirement:
        return ["{} cannot be compared".format(line)]
    if requirement.marker is not None and not requirement.marker.evaluate():
        return []
    if requirement.url:
        return ["{} cannot be compared".format(line)]
    installed = _installed_version(requirement.name)
    if installed is None:
        return ["{} is required; it is not installed".format(line)]
    if not requirement.specifier.contains(installed, prereleases=True):
        return ["{} is required; {} is installed".format(line, installed)]
    return []


def _conda_difference(spec: str, packaging: Any, conda: Dict[str, str]) -> List[str]:
    match = _CONDA_SPEC.fullmatch(spec.strip())
    if match is None:
        return ["conda package {} cannot be compared".format(spec)]
    name, version = match.group(1).lower(), match.group(2).strip()
    installed = conda.get(name) or _installed_version(name)
    if installed is None:
        return ["conda package {} is required; it is not installed".format(spec)]
    exact = _EXACT_CONDA.fullmatch(version)
    specifier = "=={}.*".format(exact.group(1) or exact.group(2)) if exact else version
    if version and _fulfils(packaging, specifier, installed) is not True:
        return ["conda package {} is required; {} is installed".format(spec, installed)]
    return []


def _fulfils(packaging: Any, specifier: str, version: str) -> Optional[bool]:
    """Return whether the version fulfils the specifier, or None if they cannot be compared."""
    try:
        return bool(packaging.specifiers.SpecifierSet(specifier).contains(version, prereleases=True))
    except ValueError:
        return None


def _conda_packages() -> Dict[str, str]:
    """Return the packages of the conda environment of this Python; empty outside of one."""
    directory = os.path.join(sys.prefix, "conda-meta")
    packages = {}
    for name in os.listdir(directory) if os.path.isdir(directory) else []:
        if name.endswith(".json"):
            with open(os.path.join(directory, name), encoding="utf-8") as file:
                record = json.load(file)
            packages[str(record["name"])] = str(record["version"])
    return packages


def _installed_version(name: str) -> Optional[str]:
    try:
        import importlib.metadata as metadata
    except ImportError:
        return _installed_version_before_python_3_8(name)
    try:
        return str(metadata.version(name))
    except metadata.PackageNotFoundError:
        return None


def _installed_version_before_python_3_8(name: str) -> Optional[str]:
    """Return the version that `pkg_resources` of setuptools, or of pip, finds."""
    for package in ("pkg_resources", "pip._vendor.pkg_resources"):
        try:
            __import__(package)
            return str(sys.modules[package].get_distribution(name).version)
        except ImportError:
            continue
        except Exception:
            return None
    return None
