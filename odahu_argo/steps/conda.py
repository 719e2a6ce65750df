"""The conda environment of a dependency-cache image."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from odahu_argo.errors import ServiceFault, UserError
from odahu_argo.steps.runtime import check_stopped, log

NAME_VARIABLE = "ODAHU_CONDA_ENV_NAME"
_PRINT_ENVIRONMENT = "import json, os; print(json.dumps(dict(os.environ)))"


def conda_program() -> str | None:
    """Return conda's path: `CONDA_EXE` if set, else the one on PATH with symbolic links resolved, or None.

    MLflow expects conda's `activate` script beside the program, which is why links are resolved.
    """
    if conda_exe := os.environ.get("CONDA_EXE"):
        return conda_exe
    conda = shutil.which("conda")
    return str(Path(conda).resolve()) if conda else None


def activated_environment(name: str, conda_file: Path | None) -> Mapping[str, str]:
    """Update the conda environment `name` from the project's conda file and return the variables of an activated process.

    Raises:
        UserError: Conda is not installed, or the environment does not exist.
        ServiceFault: The update failed, possibly because of the network.
    """
    conda = conda_program()
    if conda is None:
        raise UserError(
            f"{NAME_VARIABLE} is set to {name!r}, but conda is not installed",
            hint=f"use an image with conda, or unset {NAME_VARIABLE}",
        )
    if conda_file is not None:
        log("train", f"updating the conda environment {name} from {conda_file.name}")
        update = [conda, "env", "update", "--name", name, "--file", str(conda_file)]
        status = subprocess.run(update, cwd=conda_file.parent, stdin=subprocess.DEVNULL, check=False).returncode
        check_stopped()
        if status != 0:
            raise ServiceFault(
                f"the conda environment {name!r} could not be updated: conda exited with status {status}",
                hint=f"see the log above: a package in {conda_file.name} may not exist, the environment may be read-only,"
                " or the network may have failed",
            )
    print_environment = [conda, "run", "--name", name, "python", "-c", _PRINT_ENVIRONMENT]
    completed = subprocess.run(print_environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    check_stopped()
    if completed.returncode != 0:
        raise UserError(
            f"conda cannot run python in the environment {name!r}: {completed.stderr.strip()[-300:]}",
            hint=f"set {NAME_VARIABLE} to an environment of the image that has python and mlflow",
        )
    variables: dict[str, str] = json.loads(completed.stdout.strip().splitlines()[-1])
    return variables
