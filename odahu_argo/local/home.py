"""Files and requirements of the local engine. Its root folder is `$ODAHU_ARGO_HOME`, by default `~/.odahu-argo`."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from odahu_argo.errors import UserError

HOME_VARIABLE = "ODAHU_ARGO_HOME"
REQUIRED_PACKAGES = ("boto3", "filelock", "mlflow", "psutil")


def require_local_training() -> None:
    """Check that this machine can run trainings.

    Raises:
        UserError: the operating system is Windows, or a required package is not installed.
    """
    if sys.platform == "win32":
        raise UserError(
            "local training needs Linux or macOS",
            hint="use the Windows Subsystem for Linux, or run the training on a cluster",
        )
    missing = [name for name in REQUIRED_PACKAGES if find_spec(name) is None]
    if missing:
        raise UserError(
            f"local training needs packages that are not installed: {', '.join(missing)}",
            hint="pip install 'odahu-argo[training]'",
        )


@dataclass(frozen=True, slots=True)
class RunFolder:
    """Files of one training: the workspace shared by its steps, and one log per step."""

    root: Path

    @property
    def workspace(self) -> Path:
        """Folder that a pod mounts at `/workspace`."""
        return self.root / "workspace"

    @property
    def repository(self) -> Path:
        """The checkout, or a symbolic link to the working copy of a run in place."""
        return self.workspace / "repository"

    @property
    def workflow(self) -> Path:
        """Argo Workflow compiled from the plan, as YAML. Shows the steps, their order and the training's manifest."""
        return self.root / "workflow.yaml"

    @property
    def logs(self) -> Path:
        """Folder of the step logs."""
        return self.root / "logs"

    def log(self, step: str) -> Path:
        """Output of all attempts of a step."""
        return self.logs / f"{step}.log"


@dataclass(frozen=True, slots=True)
class Home:
    """Paths below `root`, an absolute path that need not exist yet."""

    root: Path

    @classmethod
    def from_environment(cls) -> Home:
        """Return the home set by the environment, or `~/.odahu-argo`.

        Raises:
            UserError: the path contains `?` or `#`, which end the path in the SQLite URI passed to MLflow.
        """
        root = Path(os.environ.get(HOME_VARIABLE) or Path.home() / ".odahu-argo").expanduser().absolute()
        if set("?#") & set(str(root)):
            raise UserError(
                f"the path of the local engine's folder contains ? or #, which MLflow does not support: {root}",
                hint=f"set {HOME_VARIABLE} to another folder",
            )
        return cls(root)

    def create(self) -> None:
        """Create the root folder, accessible to this user only, and the folder for locks.

        Raises:
            UserError: a folder cannot be created.
        """
        try:
            self.root.mkdir(parents=True, exist_ok=True, mode=0o700)
            self.locks.mkdir(exist_ok=True)
        except OSError as error:
            raise UserError(
                f"cannot create {error.filename}: {error.strerror}", hint=f"set {HOME_VARIABLE} to a writable folder"
            ) from error

    @property
    def environment(self) -> dict[str, str]:
        """Environment variables that make a child process use this home."""
        return {HOME_VARIABLE: str(self.root)}

    @property
    def store_file(self) -> Path:
        """SQLite file with the records of trainings."""
        return self.root / "trainings.db"

    @property
    def tracking_file(self) -> Path:
        """SQLite file that MLflow uses as tracking store."""
        return self.root / "mlflow.db"

    @property
    def tracking_version_file(self) -> Path:
        """File with the MLflow version that last created or upgraded the tracking store."""
        return self.root / "mlflow.version"

    @property
    def tracking_uri(self) -> str:
        """Tracking URI of the tracking store. Faster than a path, for long lists."""
        return f"sqlite:///{self.root}/mlflow.db"

    @property
    def mlflow_artifacts(self) -> Path:
        """Artifact root of MLflow experiments."""
        return self.root / "mlflow-artifacts"

    @property
    def environments(self) -> Path:
        """Environments built from the environment files of MLflow projects."""
        return self.root / "environments"

    @property
    def artifacts(self) -> Path:
        """Default folder for trained models, one folder each."""
        return self.root / "artifacts"

    @property
    def locks(self) -> Path:
        """Folder with one lock file per training."""
        return self.root / "locks"

    def logs(self, training_id: str) -> str:
        """Return the path of the folder of a training's step logs. Faster than `run`, for long lists."""
        return f"{self.root}/runs/{training_id}/logs"

    def run(self, training_id: str) -> RunFolder:
        """Return the files of one training."""
        return RunFolder(self.root / "runs" / training_id)
