"""Programs that create environments (uv, venv with pip, micromamba, mamba, conda), and the meaning of their errors."""

import json
import os
import re
import shutil
import subprocess
import sys
import threading
from collections import deque
from typing import Any, Deque, Dict, List, Optional

from odahu_argo.launcher.launch import EnvironmentFile
from odahu_argo.launcher.program import read_output, wait
from odahu_argo.launcher.report import LaunchError, fault, log, user_error
from odahu_argo.launcher.requirements import python_matches
from odahu_argo.uri import without_credentials

CONDA_PROGRAMS = ("micromamba", "mamba", "conda")
LOCAL_HINT = "use the installed packages (environment_manager: local in the profile, or --environment-manager local)"
CHANGE_HINT = "correct the environment file, or " + LOCAL_HINT
_NETWORK = re.compile(
    r"error sending request|failed to (fetch|download)|connection (refused|reset|error|aborted)|NewConnectionError"
    r"|timed out|(read|connect)timeout|temporary failure|name resolution|CondaHTTPError|could not connect"
    r"|could not resolve host|dns error|no space left|50\d (server error|bad gateway|service|gateway)",
    re.IGNORECASE,
)
_ERROR = re.compile(r"\s*(?:(?:\w+(?:Error|Exception)|[A-Z][a-z]+[A-Z]\w*):|(?:ERROR|error|critical)\b|\u00d7)")
"""Start of the cause of a failure, in the output of conda, micromamba, pip and uv."""
_ADVICE = re.compile(r"\s*(?:Next steps:|Current channels:|To search for alternate channels)")
"""Start of what conda prints after the cause."""
_PROGRESS = re.compile(r"\d+%\|.*\|")
_TAIL = 60
"""Lines of a program's output that are searched for the cause of its failure."""
_END = 15
"""Last lines, which are searched for a failure of the network. Earlier ones may be of requests that were repeated."""
_MAX_LINE = 300
_MAX_QUOTE = 600


def conda_program() -> Optional[str]:
    """Return the path of a conda program: `CONDA_EXE` if set, else the first one on PATH with symbolic links resolved."""
    if os.environ.get("CONDA_EXE"):
        return os.environ["CONDA_EXE"]
    found = [path for path in map(shutil.which, CONDA_PROGRAMS) if path]
    return os.path.realpath(found[0]) if found else None


def install_with_uv(uv: str, file: EnvironmentFile, pip: List[str], directory: str) -> None:
    """Create a virtual environment with uv. It uses this Python if its version matches.

    Raises:
        LaunchError: Python or a requirement is not available, or the network failed.
    """
    python = sys.executable if not file.python or python_matches(file.python) else _python_request(file.python)
    _run([uv, "venv", "--no-project", "--seed", "--python", python, directory], file)
    requirements = _write_requirements(pip, directory)
    interpreter = os.path.join(directory, "bin", "python")
    _run([uv, "pip", "install", "--python", interpreter, "--requirements", requirements], file)


def install_with_venv(file: EnvironmentFile, pip: List[str], directory: str) -> None:
    """Create a virtual environment of this Python with its own pip.

    Raises:
        LaunchError: A requirement is not available, the module venv is missing, or the network failed.
    """
    _run([sys.executable, "-m", "venv", directory], file)
    install_with_pip(os.path.join(directory, "bin", "python"), pip, file, directory)


def install_with_pip(python: str, pip: List[str], file: EnvironmentFile, directory: str) -> None:
    """Install requirements with the pip of another Python. They are written beside the directory.

    Raises:
        LaunchError: A requirement is not available, or the network failed.
    """
    requirements = _write_requirements(pip, directory)
    _run([python, "-m", "pip", "install", "--disable-pip-version-check", "-r", requirements], file)


def install_with_conda(conda: str, file: EnvironmentFile, pip: List[str], directory: str) -> None:
    """Create a conda environment.

    Raises:
        LaunchError: A package is not available, or the network failed.
    """
    description = _write_conda_file(file, pip, directory)
    create = ["create", "--yes"] if os.path.basename(conda) == "micromamba" else ["env", "create", "--quiet"]
    _run([conda, *create, "--prefix", directory, "--file", description], file)


def update_with_conda(
    conda: str, environment: List[str], file: EnvironmentFile, pip: List[str], directory: str
) -> None:
    """Install the file's conda packages, and the given pip requirements, in an environment (see `activated_environment`).

    conda keeps packages that fulfil the file. Raises the same errors as `install_with_conda`.
    """
    description = _write_conda_file(file, pip, directory)
    _run([conda, "env", "update", "--quiet", *environment, "--file", description], file)


def copy_with_conda(conda: str, name: str, directory: str, file: EnvironmentFile) -> None:
    """Copy a named conda environment to a directory. Raises the same errors as `install_with_conda`."""
    _run([conda, "create", "--yes", "--quiet", "--prefix", directory, "--clone", name], file)


def _write_conda_file(file: EnvironmentFile, pip: List[str], directory: str) -> str:
    """Write a conda file with the requirements of the environment file beside the directory, and return its path."""
    python = file.python or "{}.{}".format(*sys.version_info[:2])
    packages = ["python={}".format(python) if python[0].isdigit() else "python{}".format(python), "pip"]
    dependencies = packages + file.conda + ([{"pip": pip}] if pip else [])
    path = directory + ".yaml"
    with open(path, "w", encoding="utf-8") as conda_file:
        json.dump({"channels": file.channels or ["conda-forge"], "dependencies": dependencies}, conda_file, indent=1)
    return path


def activated_environment(conda: str, environment: List[str]) -> Dict[str, str]:
    """Return the variables of a process in a conda environment, given as `--name NAME` or `--prefix DIRECTORY`.

    Raises:
        LaunchError: The environment does not exist, or has no Python.
        LaunchStopped: SIGTERM was received.
    """
    script = "import json, os; print(json.dumps(dict(os.environ)))"
    process = subprocess.Popen(
        [conda, "run", *environment, "python", "-c", script],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        universal_newlines=True,
        start_new_session=True,
    )
    output, errors = read_output(process)
    if process.returncode != 0:
        raise user_error(
            "conda cannot run python in the environment {!r}: {}".format(environment[-1], errors.strip()[-300:]),
            "name an environment of the image that has python and mlflow",
        )
    variables: Dict[str, str] = json.loads(output.strip().splitlines()[-1])
    return variables


def _run(command: List[str], file: EnvironmentFile) -> None:
    """Run a program that installs packages. Its output goes to the log.

    Raises:
        LaunchError: It failed: a fault if its output shows that the network failed, else a user error.
        LaunchStopped: SIGTERM was received. The program and its child processes were terminated.
    """
    process = subprocess.Popen(
        command,
        cwd=os.path.dirname(file.path),
        env=dict(os.environ, CONDA_ALWAYS_YES="true", MAMBA_ALWAYS_YES="true"),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        universal_newlines=True,
        errors="replace",
        start_new_session=True,
    )
    lines: Deque[str] = deque(maxlen=_TAIL)
    reader = threading.Thread(target=_log_output, args=(process.stdout, lines), daemon=True)
    reader.start()
    status = wait(process)
    reader.join()
    if status != 0:
        raise _installer_error(os.path.basename(command[0]), status, file, list(lines))


def _log_output(output: Any, lines: Deque[str]) -> None:
    """Log all lines but those of progress bars."""
    with output:
        for line in output:
            line = _without_credentials(line.rstrip())
            if not _PROGRESS.search(line):
                log(line)
                lines.append(line)


def _installer_error(program: str, status: int, file: EnvironmentFile, lines: List[str]) -> LaunchError:
    name = os.path.basename(file.path)
    message = "the environment of {} cannot be created: {} exited with status {}: {}".format(
        name, program, status, _cause(lines)
    )
    if _NETWORK.search(" ".join(lines[-_END:])):
        return fault(message, "check the network and the package index")
    return user_error(message, CHANGE_HINT)


def _cause(lines: List[str]) -> str:
    """Return the first error in the output and what follows it, without advice. Without an error, return the last lines."""
    first = next((number for number, line in enumerate(lines) if _ERROR.match(line)), None)
    if first is None:
        return " ".join(" ".join(lines).split())[-_MAX_QUOTE:]
    cause = lines[first:]
    end = next((number for number, line in enumerate(cause) if _ADVICE.match(line)), len(cause))
    return " ".join(" ".join(line[:_MAX_LINE] for line in cause[:end]).split())[:_MAX_QUOTE]


def _without_credentials(line: str) -> str:
    """Mask credentials, also in conda's spelling of a channel without a colon: `http//user:password@host`."""
    return re.sub(r"(\w//)[^/@\s]+@", r"\1***@", without_credentials(line))


def _python_request(version: str) -> str:
    """Return the version as uv reads it, without the patch release, of which few are available."""
    return ".".join(part for part in version.split(".")[:2] if part != "*") if version[0].isdigit() else version


def _write_requirements(pip: List[str], directory: str) -> str:
    path = directory + ".txt"
    with open(path, "w", encoding="utf-8") as requirements:
        requirements.write("".join(line + "\n" for line in pip))
    return path
