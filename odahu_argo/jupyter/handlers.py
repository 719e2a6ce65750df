"""The routes below /odahu-argo. Jupyter's own handlers check login, authorization, XSRF token and origin."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Event
from typing import Any

from jupyter_server.auth.decorator import authorized
from jupyter_server.base.handlers import APIHandler, JupyterHandler
from jupyter_server.base.websocket import WebSocketMixin
from jupyter_server.serverapp import ServerApp
from jupyter_server.utils import url_path_join
from tornado import web
from tornado.websocket import WebSocketClosedError, WebSocketHandler

from odahu_argo.backends.base import Backend
from odahu_argo.backends.operations import require_valid_id, submit_training, training_details
from odahu_argo.errors import OdahuArgoError, Problem, TooLarge, UserError
from odahu_argo.jupyter.config import OdahuArgo
from odahu_argo.manifest.load import Manifests, add_missing, load_text, load_with_problems
from odahu_argo.trainings.events import LogEvent, LogLine
from odahu_argo.trainings.model import Training
from odahu_argo.trainings.selection import PageRequest, TrainingFilter
from odahu_argo.web.render import report
from odahu_argo.web.text import MAX_LINE, displayable, parse_time

Json = dict[str, Any]

MAX_CHARACTERS = 1024 * 1024
"""Kubernetes accepts no larger object."""
MIN_TRAININGS, MAX_TRAININGS = 100, 1000
"""Trainings in a list, by default and at most."""
MAX_FILTER_CHARACTERS = 200
AUTH_RESOURCE = "odahu-argo"
"""Name of the resource for Jupyter's authorizer."""
PAGE_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)


class SeveralTrainings(UserError):
    """The document contains several trainings, and none is selected. `trainings` are their IDs."""

    def __init__(self, file: str, trainings: list[str]) -> None:
        super().__init__(f"{file} contains {len(trainings)} trainings: {', '.join(trainings)}", hint="select one")
        self.trainings = trainings


@dataclass(frozen=True, slots=True)
class OpenDocument:
    """The content of an editor, saved or not. `directory` contains the file, if it is on this machine."""

    file: str
    text: str
    directory: Path | None = None

    def manifests(self, training_id: str | None) -> Manifests:
        """Return the manifests of the only training, or of the selected one. Errors are in `Manifests.problems`.

        Connections and toolchains that the document does not contain come from the YAML files in the same directory.

        Raises:
            TooLarge: The document is too large.
            SeveralTrainings: The document contains several trainings, and none is selected.
            UserError: The document does not contain the selected training.
        """
        if len(self.text) > MAX_CHARACTERS:
            raise TooLarge(f"{self.file} is larger than {MAX_CHARACTERS // 1024} KiB")
        manifests = load_text(self.text, self.file)
        ids = [written.manifest.id for written in manifests.trainings]
        if training_id is None and len(ids) > 1:
            raise SeveralTrainings(self.file, ids)
        if training_id is not None and training_id not in ids and not manifests.problems:
            raise UserError(f"{self.file} does not contain training {training_id!r}")
        selected = tuple(entry for entry in manifests.trainings if training_id in (None, entry.manifest.id))
        return add_missing(replace(manifests, trainings=selected), self._neighbors())

    def _neighbors(self) -> Manifests:
        """Return the manifests in the other files of the directory."""
        if self.directory is None or not self.directory.is_dir():
            return Manifests()
        name = Path(self.file).name
        return load_with_problems(sorted(file for file in self.directory.glob("*.y*ml") if file.name != name))


def trainings_json(backend: Backend, size: int = MIN_TRAININGS, words: str = "") -> Json:
    """Return the newest trainings that contain these words, their number without the limit, and where they run."""
    request = PageRequest(1, size, is_newest_first=True, is_summary=True)
    page = backend.trainings.page(TrainingFilter(text=words), request)
    return {
        "location": backend.info.location,
        "trainings": [_training_json(training) for training in page.trainings],
        "matching": page.total,
        "total": sum(page.counts.values()),
        "live": page.counts.get("running", 0) + page.counts.get("scheduling", 0),
    }


def error_json(error: OdahuArgoError) -> Json:
    """Return the problems of an error. `choose` lists the trainings of a document that contains several."""
    problems: Json = {"problems": [_problem_json(problem) for problem in error.problems]}
    return problems | {"choose": error.trainings} if isinstance(error, SeveralTrainings) else problems


def log_json(event: LogEvent) -> Json:
    """Return a line of a log with its step, or a note without one."""
    text = {"text": displayable(event.text, MAX_LINE)}
    return {"step": event.step, **text} if isinstance(event, LogLine) else text


def _training_json(training: Training) -> Json:
    status, newest = training.status, training.newest
    created = parse_time(newest.created)
    return {
        "id": training.id,
        "state": status.state,
        "reason": displayable(status.reason),
        "message": displayable(status.message),
        "model": displayable(newest.model_name),
        "version": displayable(newest.model_version),
        "created": created.isoformat() if created else None,
    }


def _problem_json(problem: Problem) -> Json:
    return {
        "message": displayable(problem.message),
        "file": problem.location.file,
        "line": problem.location.line,
        "field": problem.location.field,
        "hint": displayable(problem.hint) if problem.hint else None,
    }


def add_routes(server: ServerApp) -> None:
    """Add the routes below /odahu-argo to Jupyter Server."""
    config = OdahuArgo(parent=server)
    base = url_path_join(server.base_url, "odahu-argo", "trainings")
    routes = {
        "": TrainingsHandler,
        "/([^/]+)": TrainingHandler,
        "/([^/]+)/log": LogHandler,
        "/([^/]+)/page": PageHandler,
    }
    handlers = [(base + path, handler, {"config": config}) for path, handler in routes.items()]
    server.web_app.add_handlers(".*$", handlers)
    server.log.info("odahu-argo: trainings run on %s", "this machine" if config.local else "a cluster")


class JsonHandler(APIHandler):
    """Base of handlers that return JSON. Requests to a backend may be slow and run in a thread."""

    auth_resource = AUTH_RESOURCE

    def initialize(self, config: OdahuArgo) -> None:
        """Store the settings."""
        self.odahu_argo = config

    async def respond(self, handle: Callable[[], Json]) -> None:
        """Return the result of `handle`, or the problems that it raises."""
        try:
            response = await asyncio.to_thread(handle)
        except OdahuArgoError as error:
            self.set_status(error.http_status)
            response = error_json(error)
        await self.finish(json.dumps(response))


class TrainingsHandler(JsonHandler):
    """List trainings and submit new ones."""

    @web.authenticated
    @authorized
    async def get(self) -> None:
        """Return the newest trainings: at most `size`, and only matches of `filter` if it is set."""
        size, words = self.get_query_argument("size", ""), self.get_query_argument("filter", "")

        def handle() -> Json:
            if size and not (size.isdecimal() and len(size) < 5 and 0 < int(size) <= MAX_TRAININGS):
                raise UserError(f"size must be a number from 1 to {MAX_TRAININGS}")
            if len(words) > MAX_FILTER_CHARACTERS:
                raise UserError(f"filter must have at most {MAX_FILTER_CHARACTERS} characters")
            return trainings_json(self.odahu_argo.backend(), int(size or MIN_TRAININGS), words)

        await self.respond(handle)

    @web.authenticated
    @authorized
    async def post(self) -> None:
        """Create the training in a document."""
        await self._submit(is_new=True)

    @web.authenticated
    @authorized
    async def put(self) -> None:
        """Start a new run of the training in a document."""
        await self._submit(is_new=False)

    async def _submit(self, is_new: bool) -> None:
        body = self.get_json_body()

        def handle() -> Json:
            document, training_id = self._document(body)
            trainings = self.odahu_argo.backend().trainings
            return {"id": submit_training(trainings, document.manifests(training_id), is_new)}

        await self.respond(handle)

    def _document(self, body: Any) -> tuple[OpenDocument, str | None]:
        """Return the document and the ID of the selected training. On a cluster, files next to the document are ignored.

        Raises:
            UserError: The body has another form.
        """
        fields = body if isinstance(body, dict) else {}
        path, text, training_id = (fields.get(name) for name in ("path", "text", "id"))
        if not isinstance(path, str) or not isinstance(text, str) or not isinstance(training_id, str | None):
            raise UserError('the body must be {"path": …, "text": …, "id": …}')
        return OpenDocument(path, text, self._directory(path) if self.odahu_argo.local else None), training_id

    def _directory(self, path: str) -> Path | None:
        """Return the directory of a document, or None if Jupyter does not store its files on this machine."""
        root = getattr(self.contents_manager, "root_dir", None)
        if not root:
            return None
        directory = Path(root, path.lstrip("/")).parent.resolve()
        return directory if directory.is_relative_to(Path(root).resolve()) else None


class TrainingHandler(JsonHandler):
    """Delete a training."""

    @web.authenticated
    @authorized
    async def delete(self, training_id: str) -> None:
        """Stop and delete a training."""

        def handle() -> Json:
            self.odahu_argo.backend().trainings.delete(require_valid_id(training_id))
            return {}

        await self.respond(handle)


class PageHandler(JupyterHandler):
    """The page of one training without scripts, as `odahu-argo report` writes it."""

    auth_resource = AUTH_RESOURCE

    def initialize(self, config: OdahuArgo) -> None:
        """Store the settings."""
        self.odahu_argo = config

    @web.authenticated
    @authorized
    async def get(self, training_id: str) -> None:
        """Return the page as HTML."""

        def handle() -> bytes:
            backend = self.odahu_argo.backend()
            return report(training_details(backend, require_valid_id(training_id)), backend.info.location)

        try:
            page = await asyncio.to_thread(handle)
        except OdahuArgoError as error:
            raise web.HTTPError(error.http_status, error.problems[0].message.replace("%", "%%")) from error
        self.set_header("Content-Security-Policy", PAGE_POLICY)
        self.set_header("Cache-Control", "no-store")
        await self.finish(page)


class LogHandler(WebSocketMixin, WebSocketHandler, JupyterHandler):
    """Follow a training's log from its first line: one JSON object per line, over a WebSocket.

    Browsers limit ordinary connections to a server to six, and JupyterLab needs those.
    """

    auth_resource = AUTH_RESOURCE

    def initialize(self, config: OdahuArgo) -> None:
        """Store the settings."""
        self.odahu_argo = config

    @authorized
    async def get(self, *args: Any, **kwargs: Any) -> None:
        """Open the WebSocket."""
        await super().get(*args, **kwargs)

    def open(self, training_id: str) -> None:
        """Start to send."""
        super().open(training_id)
        self.task = asyncio.create_task(self._send(training_id))

    def on_message(self, message: str | bytes) -> None:
        """Ignore messages of the client."""

    def on_close(self) -> None:
        """Stop reading the log."""
        self.task.cancel()

    async def _send(self, training_id: str) -> None:
        try:
            reader = await self.odahu_argo.logs.open(lambda stop: self._messages(training_id, stop))
            try:
                async for messages in reader.batches():
                    await self.write_message("".join(f"{message}\n" for message in messages))
            finally:
                reader.close()
        except OdahuArgoError as error:
            await self.write_message(f"{json.dumps(error_json(error))}\n")
        except WebSocketClosedError:
            return
        self.close(1000)

    def _messages(self, training_id: str, stop: Event) -> Iterator[str]:
        try:
            trainings = self.odahu_argo.backend().trainings
            for event in trainings.logs(require_valid_id(training_id), is_following=True, stop=stop):
                yield json.dumps(log_json(event))
        except OdahuArgoError as error:
            yield json.dumps(error_json(error))
