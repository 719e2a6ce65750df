"""Contract between the compiler and the steps: specifications, paths, environment variables, result files and exit codes.

A step runs as `python -m odahu_argo.steps <kind>`, in a pod or as a local process. Its inputs are

- the specification: one JSON text in the environment variable `ODAHU_ARGO_STEP`;
- the workspace, shared by all steps of a training: the checkout in `repository/`, results in `results/`, and the
  training's own files for the artifact in `output/`;
- one directory per mounted connection with one file per field (`uri`, `keyID`, ...), the layout of a Kubernetes Secret
  volume. Values are plain text, never base64.

A step that finished leaves a completion marker in `completed/`; a later attempt sees it and exits with 0 at once.

A step writes its results to one-line files and its progress as `N/M` to the file in Argo's `ARGO_PROGRESS_FILE`. On failure
it writes the reason to the container's termination message. This module imports the standard library only, because every
step imports it at startup.
"""

from __future__ import annotations

import hashlib
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
"""Artifact URI of new MLflow experiments; if unset, the tracking server chooses it."""
ENVIRONMENTS_VARIABLE = "ODAHU_ARGO_ENVIRONMENTS"
"""Directory of the environments that are built from environment files; by default in the workspace."""
TRACKING_VARIABLE = "MLFLOW_TRACKING_URI"
PROGRESS_VARIABLE = "ARGO_PROGRESS_FILE"
GRACE_VARIABLE = "ARGO_TERMINATION_GRACE_PERIOD_SECONDS"
"""Set by Argo to the pod's `terminationGracePeriodSeconds`."""
RUN_VARIABLE = "ODAHU_ARGO_RUN"
"""Name of the workflow, which identifies the run. Not set on a local machine."""
RETRIES_VARIABLE = "ODAHU_ARGO_RETRIES"
"""Limits of the retries after faults and after interruptions, such as `3,10`."""

WORKSPACE = "/workspace"
ENVIRONMENTS = "/var/lib/odahu-argo/environments"
CONNECTIONS = "/var/run/odahu-argo/connections"
MESSAGE = "/dev/termination-log"

FAIL_FAST_VARIABLE = "ODAHU_ARGO_FAIL_FAST"
"""`false` if the downloads of a training continue after one of them has failed without a further retry."""
CANCELLED = "cancelled because step "
"""Start of the message of a step that ended because another one had failed."""

EXIT_OK = 0
EXIT_USER_ERROR = 2
EXIT_FAULT = 3
EXIT_FINAL_FAULT = 4
"""A fault or an interruption after the last retry."""

COMMIT_ID = "commit-id"
RUN_ID = "run-id"
ARTIFACT_NAME = "artifact-name"

TAR = "tar.gz"
ZIP = "zip"
DIRECTORY = "directory"
ARCHIVES = {TAR: "a gzip-compressed tar", ZIP: "a zip"}
"""Formats of archives, in words."""

MODULE = "odahu_argo.steps"

PREPARE = "prepare"
"""Init container of the step `train` that writes the launch, in the runner image; the specification is that of `train`."""
LAUNCH_DIRECTORY = "launch"
"""Directory of the workspace with the files from which the training program starts."""
START_FILE = "start.sh"
"""File of the launch that the training's image runs with `/bin/sh`."""
MARKER_FILE = "marker"
"""File of the launch with the path of the completion marker, which the launch writes when it has finished."""
COMPLETED_FILE = "already-completed"
"""File of the launch that exists if the training has finished in an earlier attempt. Contains the line for the log."""
RUNNING_FILE = "running"
"""File of the launch that exists from the start of an attempt to its end, unless the attempt is interrupted."""
LAST_ATTEMPT_FILE = "last-attempt"
"""File of the launch that exists if a fault of this attempt is final."""
PROGRAM_RECORD = "finished.json"
"""File of the launch that records that the training program has finished."""


@dataclass(frozen=True, slots=True)
class CheckoutSpec:
    """Clone the git `connection` and check out `reference`.

    An empty `reference` selects the connection's reference or, if that is empty too, the default branch.
    """

    kind: ClassVar[str] = "checkout"
    connection: str
    reference: str = ""


@dataclass(frozen=True, slots=True)
class DownloadSpec:
    """Download from the object store `connection` to `local_path`, relative to the repository.

    A non-empty `remote_path` replaces the path of the connection's URI. With `is_code` the download is the training's code:
    it replaces the checkout, and there is no commit ID.
    """

    kind: ClassVar[str] = "download"
    connection: str
    local_path: str
    remote_path: str = ""
    is_code: bool = False


@dataclass(frozen=True, slots=True)
class TrainSpec:
    """Train with the toolchain `trainer`.

    `work_dir` is relative to the repository. For MLflow, `entry_point` is an entry point of the project and
    `environment_manager` selects how its packages are installed; `strict_environment` rejects packages that differ from the
    environment file. Other toolchains define their own `entry_point`. A `trainer` with a `/` is a program of the training's
    image that follows ODAHU's protocol; `manifest` is its `mt.json`.
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
    strict_environment: bool = False
    manifest: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PackageSpec:
    """Pack the result of the toolchain `trainer` and upload it to `connection`, named by `artifact_name_template`.

    `toolchain` is the ID of the ToolchainIntegration. `environment` contains the training's variables, such as MLflow's URI
    and credentials. `artifact_format` is `TAR`, `ZIP` or, for a connection to a local folder, `DIRECTORY`: the files
    themselves, as a directory whose name lacks `.zip`. Its default is the only format of images before this field.
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
    artifact_format: str = ZIP


_IRRELEVANT_FIELDS = ("environment_manager", "strict_environment")
_IRRELEVANT_TRAINING_FIELDS = ("resources", "nodeSelector", "image")
"""Fields of a specification, and of the training in its `manifest`, that change how and where a step runs, not its result."""

StepSpec = CheckoutSpec | DownloadSpec | TrainSpec | PackageSpec
SPECS: dict[str, type[StepSpec]] = {spec.kind: spec for spec in (CheckoutSpec, DownloadSpec, TrainSpec, PackageSpec)}


def spec_to_json(spec: StepSpec) -> str:
    """Serialize a specification to compact JSON. Equal specifications give equal bytes.

    Fields with their default value are omitted, so a default must never change: an image can be older than the compiler.
    """
    values = {f.name: getattr(spec, f.name) for f in fields(spec) if getattr(spec, f.name) != _default(f)}
    return json.dumps(values, ensure_ascii=False, separators=(",", ":"))


def _default(spec_field: Field[Any]) -> object:
    return spec_field.default if spec_field.default_factory is MISSING else spec_field.default_factory()


def spec_digest(spec: StepSpec) -> str:
    """Return 16 hexadecimal digits that are equal for specifications of the same kind with the same result."""
    values = {f.name: getattr(spec, f.name) for f in fields(spec) if f.name not in _IRRELEVANT_FIELDS}
    training = values.get("manifest", {}).get("modelTraining", {})
    if isinstance(training, dict) and isinstance(training.get("spec"), dict):
        relevant = {name: value for name, value in training["spec"].items() if name not in _IRRELEVANT_TRAINING_FIELDS}
        values["manifest"] = {**values["manifest"], "modelTraining": {**training, "spec": relevant}}
    text = json.dumps([spec.kind, values], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def spec_from_json(kind: str, text: str) -> StepSpec:
    """Parse the specification of a step.

    Raises:
        ValueError: `kind` is unknown, the text is not a JSON object, or a field is unknown or missing.
    """
    if kind not in SPECS:
        raise ValueError(f"unknown step {kind!r}; the steps are {', '.join(SPECS)}")
    values = json.loads(text)
    names = {f.name for f in fields(SPECS[kind])}
    if not isinstance(values, dict) or not set(values) <= names:
        raise ValueError(f"the specification of step {kind} must be a JSON object with the fields {sorted(names)}")
    try:
        return SPECS[kind](**values)
    except TypeError as error:
        raise ValueError(f"the specification of step {kind} is incomplete: {error}") from error


@dataclass(frozen=True, slots=True)
class Workspace:
    """Directories and files of a step on this machine.

    `root` is the directory that all steps of a training share, `connections` contains the mounted connections, and
    `message` is the file for the termination message.
    """

    root: Path
    connections: Path
    message: Path

    @classmethod
    def from_environment(cls) -> Workspace:
        """Return the workspace that the environment specifies; paths default to those of a pod."""
        return cls(
            root=Path(os.environ.get(WORKSPACE_VARIABLE, WORKSPACE)),
            connections=Path(os.environ.get(CONNECTIONS_VARIABLE, CONNECTIONS)),
            message=Path(os.environ.get(MESSAGE_VARIABLE, MESSAGE)),
        )

    @property
    def repository(self) -> Path:
        """The checkout. `workDir` and `localPath` are relative to it."""
        return self.root / "repository"

    @property
    def output(self) -> Path:
        """Directory for files that the training adds to the artifact. It is empty at the start of each attempt."""
        return self.root / "output"

    @property
    def completed(self) -> Path:
        """Directory with the completion markers of the steps."""
        return self.root / "completed"

    @property
    def model(self) -> Path:
        """Directory with the files of the model that the training logged to MLflow."""
        return self.root / "model"

    def result_file(self, name: str) -> Path:
        """Return the path of the result `name`: `commit-id`, `run-id` or `artifact-name`."""
        return self.root / "results" / name

    def read_result(self, name: str) -> str | None:
        """Return the result of an earlier step, or of an earlier attempt of this step. None if it does not exist."""
        try:
            return self.result_file(name).read_text(encoding="utf-8").strip() or None
        except FileNotFoundError:
            return None

    def write_result(self, name: str, value: str) -> None:
        """Write a result for later steps and for Argo's output parameters. The file is replaced atomically."""
        path = self.result_file(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(f".{name}.partial")
        partial.write_text(value, encoding="utf-8")
        partial.replace(path)

    def connection(self, name: str) -> dict[str, str]:
        """Return the fields of a mounted connection; see `mounted_fields`.

        Raises:
            FileNotFoundError: this step does not mount the connection.
        """
        return mounted_fields(self.connections / name)


def default_retries(kind: str) -> tuple[int, int]:
    """Return the default limits of the retries of a step after faults and after interruptions."""
    return (1 if kind == TrainSpec.kind else 3), 10


def grace_periods(text: str) -> tuple[float, float]:
    """Return the seconds after SIGTERM at which a step kills its child processes, and at which it exits in any case.

    `text` is the pod's grace period in seconds; without one, Kubernetes' default of 30 applies. Some of it is left for the
    cleanup after the child processes have ended.
    """
    grace = float(text) if text.isascii() and text.isdigit() and int(text) else 30.0
    return max(grace - 15, grace / 2), max(grace - 10, grace * 2 / 3)


def mounted_fields(directory: Path) -> dict[str, str]:
    """Read the fields of a connection from its mounted Secret.

    Trailing line breaks are removed, because `kubectl create secret --from-file` keeps the one at the end of a file.

    Raises:
        FileNotFoundError: the directory does not exist, so the connection is not mounted.
    """
    if not directory.is_dir():
        raise FileNotFoundError(directory)
    return {
        file.name: file.read_text(encoding="utf-8").rstrip("\r\n")
        for file in sorted(directory.iterdir())
        if file.is_file()
    }
