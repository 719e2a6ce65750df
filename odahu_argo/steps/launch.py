"""Launches: the files from which the training program starts under the user's Python.

`write_launch` packs the launcher into one file and writes the launch file, in the directory `launch` of the workspace. In a
pod, an init container of the runner image does this, and the container of the training's image runs the launcher. Locally,
the step `train` does both.
"""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import sys
import zipfile
from importlib import resources
from pathlib import Path

from odahu_argo.contract import EXIT_FAULT, EXIT_USER_ERROR, LAUNCH_DIRECTORY, MESSAGE_VARIABLE, START_FILE, Workspace
from odahu_argo.errors import OdahuArgoError, ServiceFault, UserError
from odahu_argo.launcher.launch import Launch, launch_to_json
from odahu_argo.launcher.main import CHILD_OPTION
from odahu_argo.launcher.self_check import ENTRYPOINT_FILE, PROGRAM_FILE
from odahu_argo.steps import mlflow as mlflow_steps
from odahu_argo.steps.runtime import check_stopped
from odahu_argo.storage.disk import disk_errors

LAUNCHER = "launcher.pyz"
LAUNCH_FILE = "launch.json"
_MAIN = "import sys\n\nfrom odahu_argo.launcher.main import main\n\nsys.exit(main(sys.argv[1:]))\n"
_MESSAGE_FILE = "message"


def write_launch(launch: Launch, workspace: Workspace, in_other_image: bool) -> None:
    """Write the launcher and the launch file to the workspace.

    For a launch `in_other_image`, uv is copied too if the project has an environment file that uv can install.

    Raises:
        ServiceFault: The disk failed.
    """
    directory = workspace.root / LAUNCH_DIRECTORY
    with disk_errors(directory):
        write_start(workspace)
        (directory / "program").unlink(missing_ok=True)
        if in_other_image:
            launch = _with_copied_uv(launch, directory)
        (directory / LAUNCHER).write_bytes(_pack_launcher())
        for name in (PROGRAM_FILE, ENTRYPOINT_FILE):
            (directory / name).write_bytes(resources.files(mlflow_steps).joinpath(name).read_bytes())
        (directory / LAUNCH_FILE).write_text(launch_to_json(launch), "utf-8")


def write_start(workspace: Workspace) -> None:
    """Create the launch directory with `start.sh`.

    Raises:
        OSError: The disk failed.
    """
    directory = workspace.root / LAUNCH_DIRECTORY
    directory.mkdir(parents=True, exist_ok=True)
    (directory / START_FILE).write_bytes(resources.files(__package__).joinpath(START_FILE).read_bytes())


def run_launch(workspace: Workspace) -> None:
    """Run the launcher as a child process under this Python, and wait for its end.

    Raises:
        UserError: The training failed.
        ServiceFault: A server, the network or the disk failed.
        StepStopped: SIGTERM was received.
    """
    directory = workspace.root / LAUNCH_DIRECTORY
    _run_child([sys.executable, str(directory / LAUNCHER), str(directory / LAUNCH_FILE), CHILD_OPTION], workspace)


def run_start(workspace: Workspace) -> None:
    """Run `start.sh` as a child process, and wait for its end. Raises the same errors as `run_launch`."""
    _run_child(["/bin/sh", str(workspace.root / LAUNCH_DIRECTORY / START_FILE), CHILD_OPTION], workspace)


def _run_child(command: list[str], workspace: Workspace) -> None:
    message = workspace.root / LAUNCH_DIRECTORY / _MESSAGE_FILE
    message.unlink(missing_ok=True)
    environment = {**os.environ, MESSAGE_VARIABLE: str(message)}
    status = subprocess.run(command, env=environment, stdin=subprocess.DEVNULL, check=False).returncode
    check_stopped()
    if status != 0:
        reason = message.read_text("utf-8") if message.is_file() else f"the launcher exited with status {status}"
        raise {EXIT_USER_ERROR: UserError, EXIT_FAULT: ServiceFault}.get(status, OdahuArgoError)(reason)


def find_uv() -> str | None:
    """Return the path of uv: the one beside this Python, else the one on PATH, or None."""
    beside = Path(sys.executable).with_name("uv")
    return str(beside) if beside.is_file() else shutil.which("uv")


def _with_copied_uv(launch: Launch, directory: Path) -> Launch:
    file, manager = launch.environment, launch.environment_manager
    if launch.uv is None or file is None or file.conda or manager in ("local", "conda"):
        return launch._replace(uv=None)
    copy = directory / "uv"
    if not copy.is_file():
        partial = copy.with_name("uv.partial")
        shutil.copy(launch.uv, partial)
        partial.rename(copy)
    return launch._replace(uv=str(copy.absolute()))


def _pack_launcher() -> bytes:
    """Return the launcher as a zip file that Python executes, with `odahu_argo.uri`, which it shares with the steps."""
    package = resources.files("odahu_argo")
    modules = {f"odahu_argo/launcher/{file.name}": file for file in package.joinpath("launcher").iterdir()}
    modules["odahu_argo/uri.py"] = package.joinpath("uri.py")
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("__main__.py", _MAIN)
        archive.writestr("odahu_argo/__init__.py", "")
        for name, file in sorted(modules.items()):
            if name.endswith(".py"):
                archive.writestr(name, file.read_bytes())
    return buffer.getvalue()
