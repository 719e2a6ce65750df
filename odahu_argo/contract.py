"""What the compiler and a running step agree on: specifications, paths, environment names, result files, exit codes.

A step is started as `python -m odahu_argo.steps <kind>`, in a pod or as a local process, and finds

- its specification as one JSON text in the environment variable `ODAHU_ARGO_STEP`;
- the workspace shared by all steps of a training: the checkout in `repository/`, results in `results/`, files that
  the training left for its zip in `output/`;
- one folder for each connection it may use, holding one file for each field (`uri`, `keyID`, ...), as a
  Kubernetes Secret volume lays them out. Values in these files are plain, never base64.

It writes its results as one-line files, progress as `N/M` to the file that Argo's `ARGO_PROGRESS_FILE` names, and, when
it fails, the reason to the container's termination message. Standard library only, because pods import it first.
"""

from __future__ import annotations

import json
import os
from dataclasses import MISSING, Field, dataclass, field, fields
from pathlib import Path
from typing import Any, ClassVar

STEP_VARIABLE = "ODAHU_ARGO_STEP"
WORKSPACE_VARIABLE = "ODAHU_ARGO_WORKSPACE"
CONNECTIONS_VARIABLE = "ODAHU_ARGO_CONNECTIONS"
MESSAGE_VARIABLE = "ODAHU_ARGO_MESSAGE"
MLFLOW_ARTIFACTS_VARIABLE = "ODAHU_ARGO_MLFLOW_ARTIFACTS"
"""Where new MLflow experiments keep their artifacts; unset leaves it to the tracking server."""
TRACKING_VARIABLE = "MLFLOW_TRACKING_URI"
PROGRESS_VARIABLE = "ARGO_PROGRESS_FILE"

WORKSPACE = "/workspace"
CONNECTIONS = "/var/run/odahu-argo/connections"
MESSAGE = "/dev/termination-log"

EXIT_OK = 0
EXIT_USER_ERROR = 2
EXIT_FAULT = 3

COMMIT_ID = "commit-id"
RUN_ID = "run-id"
ARTIFACT_NAME = "artifact-name"

MODULE = "odahu_argo.steps"


@dataclass(frozen=True, slots=True)
class CheckoutSpec:
    """Clone the git `connection` and check out `reference`; empty means the connection's own, else the default branch."""

    kind: ClassVar[str] = "checkout"
    connection: str
    reference: str = ""


@dataclass(frozen=True, slots=True)
class DownloadSpec:
    """Copy from the object store `connection` to `local_path`, a path in the repository.

    A `remote_path` that is not empty replaces the path of the connection's URI. With `is_code` it is the code itself that
    comes from the store: the repository is then what was copied, without a commit.
    """

    kind: ClassVar[str] = "download"
    connection: str
    local_path: str
    remote_path: str = ""
    is_code: bool = False


@dataclass(frozen=True, slots=True)
class TrainSpec:
    """Train with the toolchain `trainer`: what MLflow and others need to know of the training.

    `work_dir` is relative to the repository. For MLflow `entry_point` is one of the project's, and `environment_manager` says
    where its program finds its packages; another toolchain may give `entry_point` its own meaning.
    """

    kind: ClassVar[str] = "train"
    training_id: str
    model_name: str
    model_version: str
    work_dir: str
    entry_point: str
    hyper_parameters: dict[str, str] = field(default_factory=dict)
    environment: dict[str, str] = field(default_factory=dict)
    environment_manager: str = "local"
    trainer: str = "mlflow"


@dataclass(frozen=True, slots=True)
class PackageSpec:
    """Zip what the toolchain `trainer` has trained, name it by `artifact_name_template` and upload it to `connection`.

    `toolchain` is the id of its manifest. `environment` is the training's own: it may say where MLflow is and how to get in.
    """

    kind: ClassVar[str] = "package"
    training_id: str
    model_name: str
    model_version: str
    toolchain: str
    artifact_name_template: str
    connection: str
    environment: dict[str, str] = field(default_factory=dict)
    trainer: str = "mlflow"


StepSpec = CheckoutSpec | DownloadSpec | TrainSpec | PackageSpec
SPECS: dict[str, type[StepSpec]] = {spec.kind: spec for spec in (CheckoutSpec, DownloadSpec, TrainSpec, PackageSpec)}


def spec_to_json(spec: StepSpec) -> str:
    """The specification as JSON without spaces or line breaks; fields in the order of the class, equal specs equal bytes.

    What is as usual is left out, so a default must stay what it is: an image may be older than the compiler.
    """
    values = ((each, getattr(spec, each.name)) for each in fields(spec))
    said = {each.name: value for each, value in values if value != _default(each)}
    return json.dumps(said, ensure_ascii=False, separators=(",", ":"))


def _default(each: Field[Any]) -> object:
    return each.default if each.default_factory is MISSING else each.default_factory()


def spec_from_json(kind: str, text: str) -> StepSpec:
    """The specification back again.

    Raises:
        ValueError: `kind` is no step, the text is no JSON object, or its fields are not those of the step.
    """
    if kind not in SPECS:
        raise ValueError(f"no step is called {kind!r}; there are {', '.join(SPECS)}")
    values = json.loads(text)
    known = {f.name for f in fields(SPECS[kind])}
    if not isinstance(values, dict) or not set(values) <= known:
        raise ValueError(f"the specification of step {kind} must be a JSON object with fields among {sorted(known)}")
    try:
        return SPECS[kind](**values)
    except TypeError as error:
        raise ValueError(f"the specification of step {kind} is not complete: {error}") from error


@dataclass(frozen=True, slots=True)
class Room:
    """Where one step works: the folders and files that the contract names, as they lie on this machine."""

    workspace: Path
    connections: Path
    message: Path

    @classmethod
    def from_environment(cls) -> Room:
        """The room a pod or the local engine has prepared; a pod's paths where nothing else is said."""
        return cls(
            workspace=Path(os.environ.get(WORKSPACE_VARIABLE, WORKSPACE)),
            connections=Path(os.environ.get(CONNECTIONS_VARIABLE, CONNECTIONS)),
            message=Path(os.environ.get(MESSAGE_VARIABLE, MESSAGE)),
        )

    @property
    def repository(self) -> Path:
        """The checkout. `workDir` and `localPath` are relative to it."""
        return self.workspace / "repository"

    @property
    def output(self) -> Path:
        """The folder in which a training may leave files for the zip; empty at the beginning of each attempt."""
        return self.workspace / "output"

    def result_file(self, name: str) -> Path:
        """The file that holds the result `name`: `commit-id`, `run-id` or `artifact-name`."""
        return self.workspace / "results" / name

    def read_result(self, name: str) -> str | None:
        """A result that an earlier step, or an earlier attempt of this one, has left; None when there is none."""
        try:
            return self.result_file(name).read_text(encoding="utf-8").strip() or None
        except FileNotFoundError:
            return None

    def write_result(self, name: str, value: str) -> None:
        """Leave a result for later steps and for Argo's output parameters, whole or not at all."""
        path = self.result_file(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(f".{name}.partial")
        partial.write_text(value, encoding="utf-8")
        partial.replace(path)

    def connection(self, name: str) -> dict[str, str]:
        """The fields of a connection, as `mounted_fields` gives them.

        Raises:
            FileNotFoundError: the connection is not mounted in this step.
        """
        return mounted_fields(self.connections / name)


def mounted_fields(folder: Path) -> dict[str, str]:
    """The fields of the connection whose Secret is mounted as that folder, without the line break that tools leave at the end
    of a Secret's value.

    Raises:
        FileNotFoundError: it is not mounted.
    """
    if not folder.is_dir():
        raise FileNotFoundError(folder)
    return {
        file.name: file.read_text(encoding="utf-8").rstrip("\r\n")
        for file in sorted(folder.iterdir())
        if file.is_file()
    }
