"""The Backend protocol: what commands, the API server, pages and JupyterLab use to reach trainings.

Errors are those of `odahu_argo.errors`. Every method may raise Forbidden and Unreachable. A method that a backend cannot
provide raises NotSupported.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from threading import Event
from typing import Any, Protocol

from odahu_argo.errors import UserError
from odahu_argo.kube.apply import Outcome
from odahu_argo.manifest.load import Manifests
from odahu_argo.odahu_api import Document
from odahu_argo.preflight.result import CheckResult
from odahu_argo.tracking import PAGE_SECONDS, MlflowRun, NoRun
from odahu_argo.trainings.events import FollowEvent, LogEvent, WatchEvent
from odahu_argo.trainings.model import Training
from odahu_argo.trainings.selection import PageRequest, TrainingFilter, TrainingPage
from odahu_argo.web.model import Link


class NotSupported(UserError):
    """The backend cannot do this."""

    http_status = 405


@dataclass(frozen=True, slots=True)
class BackendInfo:
    """Text about a backend for people.

    Attributes:
        location: Location the trainings run, such as `namespace ml`.
        options: Command-line options that select the backend, such as `-n ml`.
        stop_hint: How to stop a running training.
        create_command: Example of a command that starts a training.
    """

    location: str
    options: str
    stop_hint: str
    create_command: str


@dataclass(frozen=True, slots=True)
class Submitted:
    """A submitted training. `is_new` is False if the same training was already running. `url` is its page, if known."""

    training_id: str
    message: str
    is_new: bool = True
    url: str = ""


class Submission(Protocol):
    """Trainings from manifests, ready to be submitted."""

    @property
    def ids(self) -> Sequence[str]:
        """IDs in the order of the manifests."""

    @property
    def schedules(self) -> Sequence[tuple[str, str]]:
        """ID and schedule of each training with a schedule."""

    def preflight(self, ids: Sequence[str]) -> Sequence[CheckResult]:
        """Check whether anything prevents these trainings from running."""

    def check(self) -> None:
        """Check that the backend accepts all trainings, as far as possible without submitting them. UserError."""

    def dry_run(self, training_id: str) -> str:
        """Check one training and describe what `create` would do. AlreadyExists, UserError."""

    def create(self, training_id: str) -> Submitted:
        """Submit a training exactly once. AlreadyExists, UserError."""

    def edit(self, training_id: str) -> Submitted:
        """Stop the current run and submit a new one. NotFound, UserError."""


class Trainings(Protocol):
    """The trainings of a backend. Methods that take an ID raise NotFound if the training does not exist."""

    def list(self) -> Sequence[Training]:
        """Return every training, sorted by ID."""

    def page(self, selection: TrainingFilter, request: PageRequest) -> TrainingPage:
        """Return a page of the matching trainings."""

    def ids(self) -> Sequence[str]:
        """Return the ID of every training, sorted."""

    def get(self, training_id: str) -> Training:
        """Return one training."""

    def history(self, training_id: str) -> Training:
        """Return one training with all recorded attempts."""

    def prepare(self, manifests: Manifests, training_id: str | None = None, external: Sequence[str] = ()) -> Submission:
        """Prepare the trainings in the manifests, or the one with the given ID.

        `external` are connections that need no manifest. Raises UserError with all problems.
        """

    def stop(self, training_id: str) -> Training:
        """Stop a training. Return it as it was before."""

    def retry(self, training_id: str) -> Submitted:
        """Restart a failed training at the step that failed. UserError."""

    def retry_hint(self, training_id: str) -> str:
        """Return what to do with a failed training."""

    def delete(self, training_id: str) -> None:
        """Stop and delete a training with its history. Trained models are kept."""

    def watch(self, training_id: str | None = None) -> Iterator[WatchEvent]:
        """Yield every training, or one, then each change. The iterator never ends."""

    def follow(self, training_id: str, timeout: float | None = None) -> Iterator[FollowEvent]:
        """Yield the training, then each change and log line until it has ended or `timeout` seconds have passed."""

    def logs(
        self, training_id: str, step: str | None = None, is_following: bool = False, stop: Event | None = None
    ) -> Iterator[LogEvent]:
        """Yield the log of all steps or of one. With `is_following`, continue until the training has ended.

        Raises NotFound before the first line is read, and UserError if there is no such step. Set `stop` to end early.
        """

    def workflow_yaml(self, training: Training) -> str:
        """Return the compiled Workflow of the newest attempt. NotFound if it no longer exists."""

    def mlflow_run(self, training: Training, timeout: float = PAGE_SECONDS) -> MlflowRun | NoRun:
        """Return the MLflow run of the newest attempt, waiting for MLflow at most `timeout` seconds."""

    def links(self, training: Training, run: MlflowRun | NoRun) -> Sequence[Link]:
        """Return links to the training in Argo's and MLflow's user interfaces."""


class Resources(Protocol):
    """The connections or toolchains of a backend, as documents of ODAHU's API with secret values in plain text."""

    def list(self, decrypted: bool = False) -> Sequence[Document]:
        """Return every resource, sorted by ID. Secret values are masked unless `decrypted`."""

    def get(self, resource_id: str, decrypted: bool = False) -> Document:
        """Return one resource. NotFound."""

    def check_writable(self) -> None:
        """Raise NotSupported if the backend cannot change resources."""

    def check(self, manifest: Any) -> None:
        """Check that the backend accepts the manifest. UserError."""

    def check_edit(self, resource_id: str) -> None:
        """Check that the resource can be edited. NotFound."""

    def check_delete(self, resource_id: str) -> None:
        """Check that the resource can be deleted. NotFound."""

    def create(self, manifest: Any, dry_run: bool = False) -> None:
        """Create a resource. With `dry_run`, only check whether that is possible. AlreadyExists, UserError."""

    def apply(self, manifest: Any) -> Outcome:
        """Create or update a resource. UserError."""

    def delete(self, resource_id: str) -> Sequence[str]:
        """Delete a resource. Return notes for the user. NotFound, UserError."""


class Backend(Protocol):
    """Location trainings run."""

    @property
    def info(self) -> BackendInfo:
        """Description of the backend."""

    @property
    def trainings(self) -> Trainings:
        """The trainings."""

    @property
    def connections(self) -> Resources:
        """The connections."""

    @property
    def toolchains(self) -> Resources:
        """The toolchains, including built-in ones."""

    def close(self) -> None:
        """End background work. Reads may fail afterwards."""
