"""Trainings at an API server, which `odahu-argo server` or ODAHU runs."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import count
from threading import Event
from typing import Any

from odahu_argo.backends import polling
from odahu_argo.backends.base import BackendInfo, NotSupported, Submitted
from odahu_argo.backends.remote_client import RemoteClient
from odahu_argo.backends.remote_resources import normalized, remote_connections, remote_toolchains
from odahu_argo.errors import NotFound, OdahuArgoError, Problem, Rejected, ServiceFault, UserError
from odahu_argo.manifest.load import LoadedManifest, Manifests
from odahu_argo.manifest.models import ModelTraining, ToolchainIntegration
from odahu_argo.manifest.resolve import select_valid
from odahu_argo.odahu_api import (
    MAX_PAGE_SIZE,
    TOTAL_HEADER,
    training_from_api,
)
from odahu_argo.plan.build import schedule_of
from odahu_argo.preflight.result import CheckResult
from odahu_argo.resources.toolchains import toolchain_to_api
from odahu_argo.tracking import PAGE_SECONDS, MlflowRun, NoRun
from odahu_argo.trainings.events import Changed, FollowEvent, LogEvent, LogLine, LogNote, WatchEvent
from odahu_argo.trainings.follow import log_events
from odahu_argo.trainings.logs import require_step
from odahu_argo.trainings.model import Training
from odahu_argo.trainings.selection import PageRequest, TrainingFilter, TrainingPage, last_page, select_page
from odahu_argo.web.model import Link
from odahu_argo.yaml_values import Path

TRAINING_PATH = ("model", "training")
_FIELD_PART = re.compile(r"\[(\d+)\]|([^.\[\]]+)")
_STEP_LINE = re.compile(r"(?P<step>[a-z0-9][-a-z0-9]*) \| (?P<text>.*)", re.DOTALL)
_ERROR_LINE = "error: "


class RemoteBackend:
    """An API server."""

    def __init__(self, client: RemoteClient) -> None:
        self.info = BackendInfo(
            location=str(client.url),
            options=f"--url {client.url}",
            stop_hint="odahu-argo train delete stops and deletes it",
            create_command=f"odahu-argo train create --url {client.url} -f training.yaml",
        )
        self.trainings = RemoteTrainings(client)
        self.connections = remote_connections(client)
        self.toolchains = remote_toolchains(client)

    def close(self) -> None:
        """Do nothing: there is no background work."""


@dataclass(frozen=True, slots=True)
class RemoteTrainings:
    """The trainings of an API server, which plans them with its own profile."""

    client: RemoteClient

    def list(self) -> Sequence[Training]:
        """Return every training, sorted by ID."""
        return [_training(entry) for entry in self.client.get_pages("list trainings", *TRAINING_PATH)]

    def page(self, selection: TrainingFilter, request: PageRequest) -> TrainingPage:
        """Return a page of the matching trainings, without counts.

        A server of odahu-argo filters and sorts, and returns only the page. From one of ODAHU, which cannot, all are read.
        """
        found = None if selection.text else self._server_page(selection, request)
        return found or select_page(self.list(), selection, request)

    def ids(self) -> Sequence[str]:
        """Return the ID of every training, sorted."""
        return [training.id for training in self.list()]

    def get(self, training_id: str) -> Training:
        """Return one training with its newest attempt."""
        if not training_id:
            raise NotFound(f"training {training_id!r} does not exist at {self.client.url}")
        try:
            return _training(self.client.get(f"get training {training_id}", *TRAINING_PATH, training_id))
        except NotFound as error:
            raise self._not_found(error) from error

    def history(self, training_id: str) -> Training:
        """Raise NotSupported."""
        raise self._not_supported("the history of a training")

    def prepare(
        self, manifests: Manifests, training_id: str | None = None, external: Sequence[str] = ()
    ) -> RemoteSubmission:
        """Select the trainings in the manifests, or the one with the given ID. The server checks them."""
        selected = select_valid(manifests, training_id)
        toolchains = {written.manifest.id: written.manifest for written in manifests.toolchains}
        trainings = {written.manifest.id: written for written in selected}
        return RemoteSubmission(self, trainings, toolchains, manifests.is_strict)

    def stop(self, training_id: str) -> Training:
        """Raise NotSupported."""
        raise self._not_supported("stopping a training")

    def retry(self, training_id: str) -> Submitted:
        """Raise NotSupported."""
        raise self._not_supported("retrying a training")

    def retry_hint(self, training_id: str) -> str:
        """Return the command that starts a new run. The API cannot retry."""
        return f"odahu-argo train edit -f FILE --url {self.client.url} starts a new run"

    def delete(self, training_id: str) -> None:
        """Delete a training."""
        try:
            self.client.send(f"delete training {training_id}", "DELETE", *TRAINING_PATH, training_id)
        except NotFound as error:
            raise self._not_found(error) from error

    def watch(self, training_id: str | None = None) -> Iterator[WatchEvent]:
        """Yield every training, or one, then each change."""
        return polling.poll(lambda: [self.get(training_id)] if training_id else self.list())

    def follow(self, training_id: str, timeout: float | None = None) -> Iterator[FollowEvent]:
        """Yield the training, then each change and log line. Notes of the server about the state are left out."""
        for event in self._follow(training_id, timeout, None):
            if not (isinstance(event, LogNote) and event.text.startswith(f"training {training_id} is ")):
                yield event

    def logs(
        self, training_id: str, step: str | None = None, is_following: bool = False, stop: Event | None = None
    ) -> Iterator[LogEvent]:
        """Yield the log of all steps or of one."""
        training = self.get(training_id)
        require_step(training, step)
        if is_following and not training.status.has_ended:
            events = self._follow(training_id, None, stop)
            lines = log_events(event for event in events if not isinstance(event, Changed))
        else:
            lines = self._read_log(training_id, is_following=False)
        return (line for line in lines if isinstance(line, LogNote) or step in (None, line.step))

    def workflow_yaml(self, training: Training) -> str:
        """Raise NotSupported."""
        raise self._not_supported("reading the compiled workflow")

    def mlflow_run(self, training: Training, timeout: float = PAGE_SECONDS) -> MlflowRun | NoRun:
        """Return the reason why there is no run."""
        return NoRun(f"MLflow runs are not available from {self.client.url}")

    def links(self, training: Training, run: MlflowRun | NoRun) -> Sequence[Link]:
        """Return no links: the API does not report them."""
        return []

    def _server_page(self, selection: TrainingFilter, request: PageRequest) -> TrainingPage | None:
        """Return the page as the server selects it, or None if the server cannot."""
        size = min(request.size, MAX_PAGE_SIZE)
        query = {
            "model_name": selection.model_names,
            "model_version": selection.model_versions,
            "toolchain": selection.toolchains,
            "state": selection.states,
            "sort": "newest" if request.is_newest_first else "id",
            "size": size,
        }
        first = (request.number - 1) * request.size
        skipped = first % size
        documents: list[Any] = []
        for number in count(first // size):
            try:
                sent, headers = self.client.send(
                    "list trainings", "GET", *TRAINING_PATH, query={**query, "page": number}
                )
            except Rejected:
                return None
            if not isinstance(sent, list) or not headers.get(TOTAL_HEADER, "").isdecimal():
                return None
            total = int(headers[TOTAL_HEADER])
            if first >= total > 0:
                return self._server_page(selection, replace(request, number=last_page(total, request.size)))
            documents += sent
            if len(sent) < size or len(documents) - skipped >= request.size:
                break
        shown = documents[skipped : skipped + request.size]
        return TrainingPage([_training(document) for document in shown], request.number, total, request.size)

    def _follow(self, training_id: str, timeout: float | None, stop: Event | None) -> Iterator[FollowEvent]:
        def read_log(stop: Event) -> Iterator[LogEvent]:
            return self._read_log(training_id, is_following=True)

        return polling.follow(lambda: self.get(training_id), read_log, timeout, stop)

    def _read_log(self, training_id: str, is_following: bool) -> Iterator[LogEvent]:
        """Yield the lines that the server sends. A line without a step is a note.

        Raises:
            NotFound: The training does not exist.
            ServiceFault: The server could not read all of the log.
        """
        path, query = (*TRAINING_PATH, training_id, "log"), {"follow": str(is_following).lower()}
        for line in self.client.lines(f"read the log of training {training_id}", *path, query=query):
            if match := _STEP_LINE.fullmatch(line):
                yield LogLine(match["step"], match["text"])
            elif line.startswith(_ERROR_LINE):
                raise ServiceFault(line.removeprefix(_ERROR_LINE))
            else:
                yield LogNote(line)

    def _not_found(self, error: NotFound) -> NotFound:
        """Keep the server's message, with a hint for users of the API: the server's hint is about its cluster."""
        return NotFound(error.problems[0].message, f"odahu-argo train get --url {self.client.url} lists trainings")

    def _not_supported(self, action: str) -> NotSupported:
        return NotSupported(
            f"{action} is not supported by {self.client.url}: ODAHU's API has no route for it",
            hint="use --url '' to access the cluster of the kubeconfig instead",
        )


@dataclass(frozen=True, slots=True)
class RemoteSubmission:
    """Manifests of trainings by ID, and the toolchains in the same files, which are not sent to the server."""

    trainings: RemoteTrainings
    manifests: dict[str, LoadedManifest[ModelTraining]]
    toolchains: dict[str, ToolchainIntegration]
    is_strict: bool = False

    @property
    def ids(self) -> Sequence[str]:
        """IDs in the order of the manifests."""
        return tuple(self.manifests)

    @property
    def schedules(self) -> Sequence[tuple[str, str]]:
        """ID and schedule of each training with a schedule."""
        schedules = {name: schedule_of(written.manifest.spec) for name, written in self.manifests.items()}
        return [(name, str(schedule)) for name, schedule in schedules.items() if schedule]

    def preflight(self, ids: Sequence[str]) -> Sequence[CheckResult]:
        """Warn about toolchains that differ from the server's. The server itself checks everything else on submission."""
        client = self.trainings.client
        names = {self.manifests[name].manifest.spec.toolchain for name in ids} & self.toolchains.keys()
        message = "the manifest differs from the server's toolchain, which the training uses"
        hint = f"update it with odahu-argo ti create -f FILE --url {client.url}, or ti edit"
        different = [name for name in sorted(names) if not self._is_known(self.toolchains[name])]
        return [CheckResult("warning", f"toolchain {name}", message, hint) for name in different]

    def check(self) -> None:
        """Do nothing: the API cannot check a training without submitting it."""

    def dry_run(self, training_id: str) -> str:
        """Raise NotSupported."""
        raise NotSupported(
            f"a dry run is not supported by {self.trainings.client.url}",
            hint="use --dry-run with --url '' and a kubeconfig, or odahu-argo plan -f FILE, which needs neither",
        )

    def create(self, training_id: str) -> Submitted:
        """Send the training. If the server's run is still the one from before, the training was already running."""
        before = self._find(training_id)
        after = self._send("POST", training_id)
        is_new = before is None or _run_key(before) != _run_key(after)
        return self._submitted(after, is_new)

    def edit(self, training_id: str) -> Submitted:
        """Send the training to start a new run."""
        return self._submitted(self._send("PUT", training_id), is_new=True)

    def _is_known(self, toolchain: ToolchainIntegration) -> bool:
        try:
            existing = remote_toolchains(self.trainings.client).get(toolchain.id)
        except NotFound:
            return False
        return bool(existing["spec"] == toolchain_to_api(toolchain)["spec"])

    def _find(self, training_id: str) -> Training | None:
        try:
            return self.trainings.get(training_id)
        except NotFound:
            return None

    def _send(self, method: str, training_id: str) -> Training:
        """Send a manifest. Errors that the server reports get their position in the user's file."""
        written = self.manifests[training_id]
        body = {"kind": "ModelTraining", "id": training_id, "spec": written.document.value["spec"]}
        query = {"strict": "true"} if self.is_strict else None
        action = f"{'create' if method == 'POST' else 'edit'} training {training_id}"
        try:
            return _training(self.trainings.client.send(action, method, *TRAINING_PATH, query=query, body=body)[0])
        except UserError as error:
            raise _with_positions(error, written) from error

    def _submitted(self, training: Training, is_new: bool) -> Submitted:
        verb = "submitted" if is_new else "is already running"
        workflow = f" as workflow {training.newest.workflow}" if training.newest.workflow else ""
        message = f"training {training.id} {verb}{workflow} at {self.trainings.client.url}"
        return Submitted(training.id, message, is_new)


def _training(document: Any) -> Training:
    return training_from_api(normalized(document, "ModelTraining"))


def _run_key(training: Training) -> tuple[str, int, str]:
    return training.newest.workflow, training.newest.number, training.newest.created


def _with_positions(error: UserError, written: LoadedManifest[ModelTraining]) -> OdahuArgoError:
    return type(error)([_with_position(problem, written) for problem in error.problems])


def _with_position(problem: Problem, written: LoadedManifest[ModelTraining]) -> Problem:
    field = problem.location.field
    if field is None:
        return problem
    path: Path = tuple(int(index) if index else name for index, name in _FIELD_PART.findall(field))
    return replace(problem, location=replace(written.document.location(path), field=field))
