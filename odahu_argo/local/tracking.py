"""MLflow's database of this machine, made before any step looks for it.

MLflow makes missing tables when it is first used, and fails when two processes do so at once. Here one process makes them,
in a file beside, and a later version of MLflow brings them up to date.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version

from odahu_argo.contract import TRACKING_VARIABLE
from odahu_argo.errors import ServiceFault, UserError
from odahu_argo.local.home import Home

_FIRST_USE = "import sys, mlflow; mlflow.MlflowClient(sys.argv[1]).search_experiments(max_results=1)"


def prepare_tracking(home: Home) -> None:
    """See that MLflow's tables are there and of the installed version. Takes seconds the first time, then nothing.

    Raises:
        UserError: MLflow is not installed.
        ServiceFault: the tables cannot be made or brought up to date.
    """
    from filelock import FileLock

    installed = _installed_version()
    try:
        home.mlflow_artifacts.mkdir(exist_ok=True)
        with FileLock(home.locks / "mlflow"):
            if _prepared_version(home) != installed:
                _prepare(home)
                home.tracking_version_file.write_text(installed, encoding="utf-8")
    except OSError as error:
        raise ServiceFault(f"{error.filename or home.root} cannot be written: {error.strerror}") from error


def _prepare(home: Home) -> None:
    if home.tracking_file.exists():
        _mlflow(home, ("-m", "mlflow", "db", "upgrade", home.tracking_uri))
        return
    partial = home.tracking_file.with_suffix(".partial")
    partial.unlink(missing_ok=True)
    _mlflow(home, ("-c", _FIRST_USE, f"sqlite:///{partial}"))
    partial.replace(home.tracking_file)


def _installed_version() -> str:
    try:
        return version("mlflow")
    except PackageNotFoundError:
        raise UserError("MLflow is not installed here", hint="pip install 'odahu-argo[training]'") from None


def _prepared_version(home: Home) -> str | None:
    try:
        return home.tracking_version_file.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None


def _mlflow(home: Home, arguments: Sequence[str]) -> None:
    ended = subprocess.run(
        (sys.executable, "-P", *arguments),
        cwd=home.mlflow_artifacts,
        env=os.environ | {TRACKING_VARIABLE: home.tracking_uri},
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    if ended.returncode != 0:
        said = ended.stderr.strip().splitlines() or [f"exit code {ended.returncode}"]
        raise ServiceFault(
            f"MLflow cannot prepare its database {home.tracking_file}: {said[-1]}",
            hint="free or repair the disk; a damaged database can be moved away, a new one is made",
        )
