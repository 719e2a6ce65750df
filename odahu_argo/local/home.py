"""Where the local engine keeps things: one folder, `$ODAHU_ARGO_HOME` or else `~/.odahu-argo`."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from odahu_argo.errors import UserError

HOME_VARIABLE = "ODAHU_ARGO_HOME"


@dataclass(frozen=True, slots=True)
class RunFolder:
    """The files of one training: what its steps share, and a log for each step."""

    root: Path

    @property
    def workspace(self) -> Path:
        """The folder that a pod would find at /workspace."""
        return self.root / "workspace"

    @property
    def workflow(self) -> Path:
        """What the plan compiles to for Argo, as YAML: the steps, their order, and the training as its author wrote it."""
        return self.root / "workflow.yaml"

    @property
    def logs(self) -> Path:
        """The folder of the logs."""
        return self.root / "logs"

    def log(self, step: str) -> Path:
        """What the step printed, over all its attempts."""
        return self.logs / f"{step}.log"


@dataclass(frozen=True, slots=True)
class Home:
    """The places below `root`, an absolute folder that need not exist yet."""

    root: Path

    @classmethod
    def from_environment(cls) -> Home:
        """The home that the environment names, else `~/.odahu-argo`.

        Raises:
            UserError: its path holds a character that ends a path in the addresses that MLflow makes of it.
        """
        root = Path(os.environ.get(HOME_VARIABLE) or Path.home() / ".odahu-argo").expanduser().absolute()
        if set("?#") & set(str(root)):
            raise UserError(f"the home {root} has ? or # in its path, which MLflow cannot use", f"set {HOME_VARIABLE}")
        return cls(root)

    @property
    def environment(self) -> dict[str, str]:
        """The variable by which another process finds this home."""
        return {HOME_VARIABLE: str(self.root)}

    @property
    def store_file(self) -> Path:
        """The store of trainings, an SQLite file."""
        return self.root / "trainings.db"

    @property
    def tracking_file(self) -> Path:
        """MLflow's database, an SQLite file."""
        return self.root / "mlflow.db"

    @property
    def tracking_version_file(self) -> Path:
        """The version of MLflow that has prepared its database."""
        return self.root / "mlflow.version"

    @property
    def tracking_uri(self) -> str:
        """MLflow's database, as MLflow names it."""
        return f"sqlite:///{self.tracking_file}"

    @property
    def mlflow_artifacts(self) -> Path:
        """Where MLflow's experiments keep their artifacts."""
        return self.root / "mlflow-artifacts"

    @property
    def artifacts(self) -> Path:
        """Where trained models go when nothing else is said."""
        return self.root / "artifacts"

    @property
    def locks(self) -> Path:
        """One lock file for each training that was ever run here."""
        return self.root / "locks"

    def run(self, training_id: str) -> RunFolder:
        """The files of one training."""
        return RunFolder(self.root / "runs" / training_id)

    def create(self) -> None:
        """Create the root folder, readable by this user only, and its locks folder.

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
