"""Selection of the Python that runs the training: the installed packages, or an environment built from the project's file."""

import hashlib
import os
import shutil
import sys
import time
from typing import Any, Dict, List, NoReturn

from odahu_argo.launcher.installer import (
    CHANGE_HINT,
    LOCAL_HINT,
    activated_environment,
    conda_program,
    copy_with_conda,
    install_with_conda,
    install_with_pip,
    install_with_uv,
    install_with_venv,
    update_with_conda,
)
from odahu_argo.launcher.launch import EnvironmentFile, Launch
from odahu_argo.launcher.program import check_stopped
from odahu_argo.launcher.report import log, user_error
from odahu_argo.launcher.requirements import PackageDifference, differences, python_matches

MANAGERS = ("auto", "local", "uv", "virtualenv", "conda")
CONDA_NAME_VARIABLE = "ODAHU_CONDA_ENV_NAME"
"""Set by an image with a prebuilt conda environment, such as ODAHU's dependency-cache image."""
_SELECTED_VARIABLE = "ODAHU_ARGO_ENVIRONMENT"
_COMPLETE_FILE = ".complete"
_POLL_INTERVAL = 0.5


def select_environment(launch: Launch) -> None:
    """Return if this Python is the training's; otherwise replace this process by the same launch under that Python.

    - `local`: the installed packages. Differences to the project's environment file are logged, or an error with `strict`.
    - `auto`: the installed packages if they fulfil the environment file, else an environment built from the file.
    - `uv`, `virtualenv`, `conda`: an environment built from the file by these programs.

    The installed packages are those of the image's Python, or of the conda environment named by `ODAHU_CONDA_ENV_NAME`; with
    `auto`, that environment is updated if it differs from the file. Built environments are used again.

    Raises:
        LaunchError: A requirement is not available, a program is missing, or the network failed.
        LaunchStopped: SIGTERM was received.
    """
    selected = os.environ.pop(_SELECTED_VARIABLE, "")
    if selected == "built":
        return
    name = os.environ.get(CONDA_NAME_VARIABLE, "")
    if name and launch.environment_manager in ("auto", "local"):
        _select_named_environment(launch, name, is_active=selected == "named")
    elif launch.environment is not None:
        _select_environment(launch, launch.environment)


def _select_environment(launch: Launch, file: EnvironmentFile) -> None:
    manager = launch.environment_manager
    if manager in ("auto", "local"):
        found = differences(file)
        if not found:
            log("the installed packages fulfil {}".format(os.path.basename(file.path)))
            return
        if manager == "local":
            _report_differences(launch, file, found)
            return
        log("{} differs from the installed packages:".format(os.path.basename(file.path)))
        _log_differences(found)
    directory = _environment_directory(launch, file)
    _build_once(launch, file, directory)
    _continue_in(_environment_variables(directory), os.path.join(directory, "bin", "python"), "built")


def _select_named_environment(launch: Launch, name: str, is_active: bool) -> None:
    conda = conda_program()
    if conda is None:
        raise user_error(
            "{} is set to {!r}, but conda is not installed".format(CONDA_NAME_VARIABLE, name),
            "use an image with conda, or unset {}".format(CONDA_NAME_VARIABLE),
        )
    if not is_active:
        variables = activated_environment(conda, ["--name", name])
        python = shutil.which("python", path=variables.get("PATH")) or "python"
        _continue_in(variables, python, "named")
    file = launch.environment
    if file is None:
        return
    found = differences(file)
    if not found:
        log("the conda environment {} fulfils {}".format(name, os.path.basename(file.path)))
    elif launch.environment_manager == "local":
        _report_differences(launch, file, found)
    else:
        log("updating the conda environment {}, which differs from {}:".format(name, os.path.basename(file.path)))
        _log_differences(found)
        _update_named_environment(launch, conda, name, file, found)


def _update_named_environment(
    launch: Launch, conda: str, name: str, file: EnvironmentFile, found: List[PackageDifference]
) -> None:
    """Update the environment in place, or a copy of it if it is not writable for this user."""
    directory = _environment_directory(launch, file)
    os.makedirs(launch.environments, exist_ok=True)
    if os.access(sys.prefix, os.W_OK):
        _install_differences(conda, ["--name", name], sys.executable, file, found, directory)
        _continue_in(dict(os.environ), sys.executable, "built")
    python = os.path.join(directory, "bin", "python")
    if not os.path.exists(os.path.join(directory, _COMPLETE_FILE)):
        shutil.rmtree(directory, ignore_errors=True)
        copy_with_conda(conda, name, directory, file)
        _install_differences(conda, ["--prefix", directory], python, file, found, directory)
        _mark_complete(directory)
    _continue_in(activated_environment(conda, ["--prefix", directory]), python, "built")


def _install_differences(
    conda: str,
    environment: List[str],
    python: str,
    file: EnvironmentFile,
    found: List[PackageDifference],
    directory: str,
) -> None:
    """Install what differs. conda solves all conda packages together, and keeps installed ones that fulfil the file."""
    kinds = {difference.kind for difference in found}
    different = {difference.requirement for difference in found}
    pip = [line for line in file.pip if line in different]
    options = [line for line in file.pip if line.startswith("--")]
    if kinds == {"pip"}:
        install_with_pip(python, options + pip, file, directory)
    elif kinds <= {"pip", "conda"}:
        update_with_conda(conda, environment, file, options + pip if pip else [], directory)
    else:
        update_with_conda(conda, environment, file, file.pip, directory)


def _log_differences(found: List[PackageDifference]) -> None:
    log("\n".join("  " + difference.message for difference in found))


def _report_differences(launch: Launch, file: EnvironmentFile, found: List[PackageDifference]) -> None:
    name = os.path.basename(file.path)
    if launch.strict:
        raise user_error(
            "the installed packages differ from {}: {}".format(name, "; ".join(each.message for each in found)),
            "use an image with these packages, or run without --strict",
        )
    log("warning: the installed packages differ from {}, and environment_manager is local:".format(name))
    _log_differences(found)


def _build_once(launch: Launch, file: EnvironmentFile, directory: str) -> None:
    """Build the environment unless a complete one exists. Other processes that need the same one wait."""
    os.makedirs(launch.environments, exist_ok=True)
    with open(directory + ".lock", "w", encoding="utf-8") as lock:
        _acquire(lock, directory)
        complete = os.path.join(directory, _COMPLETE_FILE)
        if os.path.exists(complete):
            os.utime(complete)
            log("using the environment {}".format(directory))
            return
        shutil.rmtree(directory, ignore_errors=True)
        log("building the environment {}".format(directory))
        _build(launch, file, directory)
        _mark_complete(directory)


def _acquire(lock: Any, directory: str) -> None:
    import fcntl

    is_waiting = False
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if not is_waiting:
                log("waiting for another training, which builds the environment {}".format(directory))
            is_waiting = True
            check_stopped()
            time.sleep(_POLL_INTERVAL)


def _build(launch: Launch, file: EnvironmentFile, directory: str) -> None:
    pip = list(file.pip)
    if not any(line.startswith("mlflow") for line in [*pip, *file.conda]):
        log("adding mlflow, which {} does not list".format(os.path.basename(file.path)))
        pip.append("mlflow")
    name, manager = os.path.basename(file.path), launch.environment_manager
    conda = conda_program()
    if manager == "conda" or (manager == "auto" and file.conda):
        if conda is None:
            raise user_error(
                "{} needs conda ({}), which is not installed".format(
                    name, ", ".join(file.conda) or "environment_manager"
                ),
                "install micromamba, mamba or conda, list the packages under pip, or " + LOCAL_HINT,
            )
        install_with_conda(conda, file, pip, directory)
    elif file.conda:
        raise user_error("{} lists conda packages: {}".format(name, ", ".join(file.conda)), CHANGE_HINT)
    elif launch.uv is not None:
        install_with_uv(launch.uv, file, pip, directory)
    elif not file.python or python_matches(file.python):
        install_with_venv(file, pip, directory)
    elif conda is not None:
        install_with_conda(conda, file, pip, directory)
    else:
        raise user_error(
            "{} requires Python {}, and neither uv nor conda is installed".format(name, file.python),
            "install uv (pip install uv), use an image with this Python, or " + LOCAL_HINT,
        )


def _environment_directory(launch: Launch, file: EnvironmentFile) -> str:
    """Return the directory for the content of the file and for this Python, from which the environment may be made."""
    python = "{} {}".format(os.path.realpath(sys.executable), sys.version)
    return os.path.join(
        launch.environments, "{}-{}".format(file.digest, hashlib.sha256(python.encode()).hexdigest()[:8])
    )


def _mark_complete(directory: str) -> None:
    with open(os.path.join(directory, _COMPLETE_FILE), "w", encoding="utf-8"):
        pass


def _environment_variables(directory: str) -> Dict[str, str]:
    variables = dict(os.environ, VIRTUAL_ENV=directory)
    variables.pop("PYTHONHOME", None)
    variables["PATH"] = os.pathsep.join([os.path.join(directory, "bin"), os.environ.get("PATH", os.defpath)])
    return variables


def _continue_in(variables: Dict[str, str], python: str, selected: str) -> NoReturn:
    sys.stdout.flush()
    os.execve(python, [python, *sys.argv], dict(variables, **{_SELECTED_VARIABLE: selected}))
