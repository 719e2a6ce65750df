"""The conda environment that a dependency-cache image brings along."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from odahu_argo.errors import ServiceFault, UserError
from odahu_argo.steps.log import log

NAME_VARIABLE = "ODAHU_CONDA_ENV_NAME"
_SHOW_ENVIRONMENT = "import json, os; print(json.dumps(dict(os.environ)))"


def program() -> str | None:
    """The conda of the image: the one that its activation names, else the one on PATH, at its real place.

    MLflow looks for what activates an environment beside it.
    """
    if named := os.environ.get("CONDA_EXE"):
        return named
    found = shutil.which("conda")
    return str(Path(found).resolve()) if found else None


def activated_environment(name: str, conda_file: Path | None) -> Mapping[str, str]:
    """All variables of a process in the conda environment `name`, after it was updated from the project's conda file.

    Raises:
        UserError: there is no conda, or no such environment.
        ServiceFault: the update failed, which may be the network.
    """
    conda = program()
    if conda is None:
        raise UserError(
            f"{NAME_VARIABLE} is set to {name!r}, and there is no program conda here",
            hint=f"use an image that has conda, or unset {NAME_VARIABLE}",
        )
    if conda_file is not None:
        log("train", f"updating the conda environment {name} from {conda_file.name}")
        update = [conda, "env", "update", "--name", name, "--file", str(conda_file)]
        status = subprocess.run(update, cwd=conda_file.parent, stdin=subprocess.DEVNULL, check=False).returncode
        if status != 0:
            raise ServiceFault(
                f"the conda environment {name!r} could not be updated: conda ended with exit status {status}",
                hint=f"see the lines above; a package in {conda_file.name} may not exist, the environment not be writable,"
                " or the network have failed",
            )
    show = [conda, "run", "--name", name, "python", "-c", _SHOW_ENVIRONMENT]
    shown = subprocess.run(show, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if shown.returncode != 0:
        raise UserError(
            f"conda cannot run python in the environment {name!r}: {shown.stderr.strip()[-300:]}",
            hint=f"{NAME_VARIABLE} must name an environment of the image that has python and mlflow",
        )
    variables: dict[str, str] = json.loads(shown.stdout.strip().splitlines()[-1])
    return variables
