"""The routes below /odahu-argo. Whoever asks is known to Jupyter and may do this, and no other site asks through a browser:
Jupyter's own handlers see to it, by login, authorizer, XSRF token and origin."""

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

from odahu_argo.errors import OdahuArgoError, Problem, UserError
from odahu_argo.jupyter.config import OdahuArgo
from odahu_argo.manifest.load import Manifests, beside, gather, read_text
from odahu_argo.server.errors import TooLarge, require_possible, status_code
from odahu_argo.server.streaming import streamed
from odahu_argo.web.model import LogLine, Summary, Views
from odahu_argo.web.render import report
from odahu_argo.web.text import LONGEST_LINE, shown

Answer = dict[str, Any]


def listed(views: Views) -> Answer:
    """Every training, the newest first, and where they run."""
    return {"place": views.place, "trainings": [_summary(each) for each in views.all()]}


def told(error: OdahuArgoError) -> Answer:
    """Every problem with its place; `choose` names the trainings of a document that holds several."""
    answer: Answer = {"problems": [_problem(each) for each in error.problems]}
    return answer | {"choose": error.trainings} if isinstance(error, WhichOne) else answer


def line(found: LogLine | str) -> Answer:
    """A line of a log; one without a step is said of the log."""
    if isinstance(found, LogLine):
        return {"step": found.step, "text": shown(found.text, LONGEST_LINE)}
    return {"text": shown(found, LONGEST_LINE)}


def _summary(training: Summary) -> Answer:
    return {
        "id": training.id,
        "state": training.state,
        "reason": shown(training.reason),
        "message": shown(training.message),
        "model": shown(training.model),
        "version": shown(training.version),
        "created": training.created.isoformat() if training.created else None,
    }


def _problem(problem: Problem) -> Answer:
    return {
        "message": shown(problem.message),
        "file": problem.where.file,
        "line": problem.where.line,
        "field": problem.where.field,
        "hint": shown(problem.hint) if problem.hint else None,
    }


LARGEST = 1024 * 1024
"""Characters; Kubernetes takes no larger object."""


class WhichOne(UserError):
    """The document holds several trainings; `trainings` are their ids."""

    def __init__(self, file: str, trainings: list[str]) -> None:
        super().__init__(f"{file} holds {len(trainings)} trainings: {', '.join(trainings)}", hint="choose one of them")
        self.trainings = trainings


@dataclass(frozen=True, slots=True)
class Opened:
    """A document as it stands in the editor, saved or not. `folder` is where it lies on this machine, if it does."""

    file: str
    text: str
    folder: Path | None = None

    def manifests(self, training_id: str | None) -> Manifests:
        """The document's training, or that one of its trainings; what is wrong stays with the manifests.

        Connections and toolchains that the document does not hold are taken from the YAML files beside it.

        Raises:
            TooLarge: it is too large.
            WhichOne: it holds several trainings, and none is named.
            UserError: it holds none of that id.
        """
        if len(self.text) > LARGEST:
            raise TooLarge(f"{self.file} is larger than {LARGEST // 1024} KiB")
        found = read_text(self.text, self.file)
        ids = [each.manifest.id for each in found.trainings]
        if training_id is None and len(ids) > 1:
            raise WhichOne(self.file, ids)
        if training_id is not None and training_id not in ids and not found.problems:
            raise UserError(f"{self.file} holds no training {training_id!r}")
        chosen = tuple(each for each in found.trainings if training_id in (None, each.manifest.id))
        return beside(replace(found, trainings=chosen), self._neighbours())

    def _neighbours(self) -> Manifests:
        """What the files of the same folder hold. What is wrong there is told only where it is needed."""
        if self.folder is None or not self.folder.is_dir():
            return Manifests()
        return gather(sorted(each for each in self.folder.glob("*.y*ml") if each.name != Path(self.file).name))


RESOURCE = "odahu-argo"
"""What Jupyter's authorizer is asked about."""
PAGE_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)


def add_routes(server: ServerApp) -> None:
    """Answer below /odahu-argo."""
    site = OdahuArgo(parent=server)
    base = url_path_join(server.base_url, "odahu-argo", "trainings")
    routes = {
        "": TrainingsHandler,
        "/([^/]+)": TrainingHandler,
        "/([^/]+)/log": LogHandler,
        "/([^/]+)/page": PageHandler,
    }
    server.web_app.add_handlers(".*$", [(base + path, handler, {"site": site}) for path, handler in routes.items()])
    server.log.info("odahu-argo: trainings run on %s", "this machine" if site.local else "a cluster")


class Handler(APIHandler):
    """Answers JSON, made in a thread: what is asked for may take long."""

    auth_resource = RESOURCE

    def initialize(self, site: OdahuArgo) -> None:
        """Keep the settings."""
        self.site = site

    async def answer(self, make: Callable[[], Answer]) -> None:
        """Answer what `make` returns, or the problems that it raises."""
        try:
            found = await asyncio.to_thread(make)
        except OdahuArgoError as error:
            self.set_status(status_code(error))
            found = told(error)
        await self.finish(json.dumps(found))


class TrainingsHandler(Handler):
    """Every training; and new ones."""

    @web.authenticated
    @authorized
    async def get(self) -> None:
        """The list."""
        await self.answer(lambda: listed(self.site.source().views))

    @web.authenticated
    @authorized
    async def post(self) -> None:
        """Start the training that a document holds."""
        await self._submit(is_new=True)

    @web.authenticated
    @authorized
    async def put(self) -> None:
        """Run it anew."""
        await self._submit(is_new=False)

    async def _submit(self, is_new: bool) -> None:
        body = self.get_json_body()

        def start() -> Answer:
            document, training_id = self._document(body)
            trainings = self.site.source().trainings
            act = trainings.create if is_new else trainings.update
            return {"id": act(document.manifests(training_id))["id"]}

        await self.answer(start)

    def _document(self, body: Any) -> tuple[Opened, str | None]:
        """The document, and which of its trainings is meant. Files beside it have a part only on this machine.

        Raises:
            UserError: the body is of another form.
        """
        sent = body if isinstance(body, dict) else {}
        path, text, training_id = (sent.get(name) for name in ("path", "text", "id"))
        if not isinstance(path, str) or not isinstance(text, str) or not isinstance(training_id, str | None):
            raise UserError('a training is sent as {"path": …, "text": …, "id": …}')
        return Opened(path, text, self._folder(path) if self.site.local else None), training_id

    def _folder(self, path: str) -> Path | None:
        """Where the document lies on this machine; None where Jupyter keeps its files elsewhere."""
        root = getattr(self.contents_manager, "root_dir", None)
        if not root:
            return None
        folder = Path(root, path.lstrip("/")).parent.resolve()
        return folder if folder.is_relative_to(Path(root).resolve()) else None


class TrainingHandler(Handler):
    """One training."""

    @web.authenticated
    @authorized
    async def delete(self, training_id: str) -> None:
        """Remove it; one that goes on is stopped."""

        def remove() -> Answer:
            self.site.source().trainings.delete(require_possible(training_id))
            return {}

        await self.answer(remove)


class PageHandler(JupyterHandler):
    """The page of one training, as `odahu-argo report` writes it: without scripts."""

    auth_resource = RESOURCE

    def initialize(self, site: OdahuArgo) -> None:
        """Keep the settings."""
        self.site = site

    @web.authenticated
    @authorized
    async def get(self, training_id: str) -> None:
        """HTML."""

        def make() -> bytes:
            views = self.site.source().views
            return report(views.training(require_possible(training_id)), views.place)

        try:
            page = await asyncio.to_thread(make)
        except OdahuArgoError as error:
            raise web.HTTPError(status_code(error), error.problems[0].message.replace("%", "%%")) from error
        self.set_header("Content-Security-Policy", PAGE_POLICY)
        self.set_header("Cache-Control", "no-store")
        await self.finish(page)


class LogHandler(WebSocketMixin, WebSocketHandler, JupyterHandler):
    """A training's log from its first line on, until the training has ended: messages of JSON objects, a line each.

    A WebSocket, because a browser keeps six ordinary requests to a server open and no more, and JupyterLab needs them.
    """

    auth_resource = RESOURCE

    def initialize(self, site: OdahuArgo) -> None:
        """Keep the settings."""
        self.site, self.is_over = site, Event()

    @authorized
    async def get(self, *args: Any, **kwargs: Any) -> None:
        """Become a WebSocket."""
        await super().get(*args, **kwargs)

    def open(self, training_id: str) -> None:
        """Begin to send."""
        super().open(training_id)
        self.sending = asyncio.create_task(self._send(training_id))

    def on_message(self, message: str | bytes) -> None:
        """Nothing is expected."""

    def on_close(self) -> None:
        """Let the log's reader end."""
        self.is_over.set()

    async def _send(self, training_id: str) -> None:
        try:
            async for messages in streamed(self._messages(training_id), self.is_over):
                await self.write_message(messages.decode())
        except WebSocketClosedError:
            return
        self.close(1000)

    def _messages(self, training_id: str) -> Iterator[str]:
        try:
            for found in self.site.source().views.log(require_possible(training_id), True, self.is_over):
                yield json.dumps(line(found))
        except OdahuArgoError as error:
            yield json.dumps(told(error))
