"""An API server as a site."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from odahu_argo.backends.base import Followed, Form, Seen, Site, Submitted, Watched
from odahu_argo.backends.remote_client import Server
from odahu_argo.backends.remote_follow import follow, log_lines, watch
from odahu_argo.backends.standing import Standing, standing
from odahu_argo.errors import AlreadyExists, NotFound, OdahuArgoError, Problem, UserError
from odahu_argo.kube.apply import Outcome
from odahu_argo.manifest.load import Manifests, Written
from odahu_argo.manifest.models import Connection, ModelTraining, ToolchainIntegration
from odahu_argo.manifest.resolve import choose
from odahu_argo.odahu_api import CHANGED, PAGE, as_plain
from odahu_argo.plan.build import schedule_of
from odahu_argo.preflight.result import Finding
from odahu_argo.resources.connection_secret import connection_fields, connection_spec_to_api
from odahu_argo.resources.toolchains import toolchain_to_api
from odahu_argo.trainings.follow import TimeIsUp, as_lines
from odahu_argo.trainings.logs import Line
from odahu_argo.validation import nearest
from odahu_argo.yaml_values import Path


def at_server(server: Server) -> Site:
    """The trainings, connections and toolchains that the server keeps."""
    return Site(
        place=f"at {server.address}",
        arguments=f"--url {server.address}",
        ending="train delete ends and removes it",
        trainings=TrainingsAtServer(server),
        connections=connections_at(server),
        toolchains=toolchains_at(server),
    )


PATH = ("model", "training")
_PART = re.compile(r"\[(\d+)\]|([^.\[\]]+)")


@dataclass(frozen=True, slots=True)
class TrainingsAtServer:
    """The trainings of an API server, which plans them by its own profile."""

    server: Server

    def all(self) -> list[Form]:
        """Every training, by id."""
        return [ordered(each, "ModelTraining") for each in pages(self.server, "list trainings", PATH)]

    def ids(self) -> list[str]:
        """The id of every training."""
        return [form["id"] for form in self.all()]

    def get(self, training_id: str) -> Form:
        """One training."""
        if not training_id:
            raise NotFound(f"there is no training {training_id!r} at {self.server.address}")
        try:
            return ordered(self.server.get(f"get training {training_id}", *PATH, training_id), "ModelTraining")
        except NotFound as error:
            raise self._not_found(error) from error

    def batch(self, manifests: Manifests, training_id: str | None, external: Sequence[str] = ()) -> BatchAtServer:
        """The trainings of the manifests, or the one called so, as they will be sent."""
        chosen, problems = choose(manifests, training_id)
        if problems := [*manifests.problems, *problems]:
            raise UserError(problems)
        own = {each.manifest.id: each.manifest for each in manifests.toolchains}
        return BatchAtServer(self, {each.manifest.id: each for each in chosen}, own)

    def delete(self, training_id: str) -> None:
        """Remove it."""
        try:
            self.server.send(f"delete training {training_id}", "DELETE", *PATH, training_id)
        except NotFound as error:
            raise self._not_found(error) from error

    def watch(self, training_id: str | None) -> Iterator[Watched]:
        """Every training, or one, as it stands, then each change, asked for again and again."""
        return watch(lambda: [self.get(training_id)] if training_id else self.all())

    def follow(self, training_id: str, timeout: float | None) -> Iterator[Followed]:
        """How it stands and what it prints. What the log says of the training's state is known here already."""
        for event in follow(self.server, training_id, lambda: self.get(training_id), timeout):
            if not (isinstance(event, str) and event.startswith(f"training {training_id} is ")):
                yield event

    def log(self, training_id: str, step: str | None, follow: bool) -> Iterator[Line | str]:
        """Its lines."""
        now = standing(self.get(training_id))
        _require_step(now, step)
        lines = self._following(training_id) if follow and not now.has_ended else self._whole(training_id)
        return (line for line in lines if isinstance(line, str) or step in (None, line.step))

    def remedy(self, training_id: str) -> str:
        """The API has no retry."""
        return f"odahu-argo train edit -f FILE --url {self.server.address} runs it anew"

    def _not_found(self, error: NotFound) -> NotFound:
        """The server's words; what it hints at is for those who speak to its cluster."""
        return NotFound(
            error.problems[0].message, f"odahu-argo train get --url {self.server.address} lists those there are"
        )

    def _whole(self, training_id: str) -> Iterator[Line | str]:
        return log_lines(self.server, training_id, follow=False)

    def _following(self, training_id: str) -> Iterator[Line | str]:
        events = follow(self.server, training_id, lambda: self.get(training_id))
        return as_lines(event for event in events if not isinstance(event, Seen | TimeIsUp))


@dataclass(frozen=True, slots=True)
class BatchAtServer:
    """Trainings by their ids, and the toolchains that stand beside them in the manifests, which the server is not sent."""

    trainings: TrainingsAtServer
    written: dict[str, Written[ModelTraining]]
    toolchains: dict[str, ToolchainIntegration]

    @property
    def ids(self) -> Sequence[str]:
        """In the order of the manifests."""
        return tuple(self.written)

    @property
    def schedules(self) -> Sequence[tuple[str, str]]:
        """The trainings that ask for one."""
        found = {name: schedule_of(each.manifest.spec) for name, each in self.written.items()}
        return [(name, str(schedule)) for name, schedule in found.items() if schedule]

    def preflight(self, ids: Sequence[str]) -> Sequence[Finding]:
        """The server looks at what is in the way when it is asked to submit; here only what it is not told."""
        named = {self.written[name].manifest.spec.toolchain for name in ids} & self.toolchains.keys()
        hint = f"odahu-argo ti create -f FILE --url {self.trainings.server.address}, or ti edit, sends it"
        message = "it is another in the manifests than at the server, which takes its own"
        different = [name for name in sorted(named) if not self._is_known(self.toolchains[name])]
        return [Finding("warning", f"toolchain {name}", message, hint) for name in different]

    def check(self) -> None:
        """Nothing: the API has no way to ask."""

    def try_out(self, training_id: str) -> str:
        """Not over the API."""
        raise UserError(
            "the API cannot try a training out without submitting it",
            hint="--dry-run works with --url '', against the cluster; odahu-argo plan -f FILE needs neither",
        )

    def create(self, training_id: str) -> Submitted:
        """Send it. That the very same training goes on already shows in its attempt being the one that was there."""
        before = self._there(training_id)
        after = self._send("POST", training_id)
        is_new = before is None or _run(before) != _run(after)
        return self._submitted(after, is_new)

    def edit(self, training_id: str) -> Submitted:
        """Send it to be run anew."""
        return self._submitted(self._send("PUT", training_id), is_new=True)

    def _is_known(self, toolchain: ToolchainIntegration) -> bool:
        try:
            there = toolchains_at(self.trainings.server).get(toolchain.id)
        except NotFound:
            return False
        return bool(there["spec"] == toolchain_to_api(toolchain)["spec"])

    def _there(self, training_id: str) -> Standing | None:
        try:
            return standing(self.trainings.get(training_id))
        except NotFound:
            return None

    def _send(self, method: str, training_id: str) -> Standing:
        """Mistakes that the server finds are told with their place in the user's file."""
        written = self.written[training_id]
        body = {"kind": "ModelTraining", "id": training_id, "spec": written.document.value["spec"]}
        doing = f"{'create' if method == 'POST' else 'edit'} training {training_id}"
        try:
            return standing(ordered(self.trainings.server.send(doing, method, *PATH, body=body)[0], "ModelTraining"))
        except UserError as error:
            raise _placed(error, written) from error

    def _submitted(self, now: Standing, is_new: bool) -> Submitted:
        verb = "submitted" if is_new else "goes on"
        workflow = f" as workflow {now.workflow}" if now.workflow else ""
        return Submitted(now.id, f"training {now.id} {verb}{workflow} at {self.trainings.server.address}", is_new)


def _run(training: Standing) -> tuple[str, str, str]:
    return training.workflow, training.attempt, training.created


def _placed(error: UserError, written: Written[ModelTraining]) -> OdahuArgoError:
    """The same error, its problems where the fields stand in the file."""
    return type(error)([_placed_problem(each, written) for each in error.problems])


def _placed_problem(problem: Problem, written: Written[ModelTraining]) -> Problem:
    field = problem.where.field
    if field is None:
        return problem
    path: Path = tuple(int(index) if index else name for index, name in _PART.findall(field))
    return replace(problem, where=replace(written.document.where(path), field=field))


def _require_step(training: Standing, step: str | None) -> None:
    names = [each.name for each in training.steps]
    if step is not None and step not in names:
        raise UserError(f"training {training.id!r} has no step {step!r}", hint=nearest(step, names))


ORDER = ("kind", "id", "createdAt", "updatedAt", "spec", "status")


@dataclass(frozen=True, slots=True)
class KeptAtServer:
    """Resources of one kind: the `path` they are under, `word` and `kind` to name them, and their forms both ways."""

    server: Server
    path: tuple[str, ...]
    word: str
    kind: str
    body: Callable[[Any], Form]
    shown: Callable[[Form], Form]

    def all(self, decrypted: bool = False) -> list[Form]:
        """Every one, by id; the API gives secret values one connection at a time."""
        forms = [self._shown(each) for each in pages(self.server, f"list {self.word}s", self.path)]
        return [self.get(form["id"], True) for form in forms] if decrypted else forms

    def get(self, wanted: str, decrypted: bool = False) -> Form:
        """One."""
        if not wanted:
            raise NotFound(f"there is no {self.word} {wanted!r} at {self.server.address}")
        place = (*self.path, wanted, *(("decrypted",) if decrypted else ()))
        return self._shown(self.server.get(f"get {self.word} {wanted}", *place))

    def check(self, manifest: Connection | ToolchainIntegration) -> None:
        """Nothing: the API has no way to ask; what is wrong in a manifest was seen before."""

    def require(self, wanted: str) -> None:
        """See that there is one."""
        self.get(wanted)

    def require_own(self, wanted: str) -> None:
        """See that there is one."""
        self.get(wanted)

    def create(self, manifest: Connection | ToolchainIntegration, dry_run: bool = False) -> None:
        """Send a new one; with `dry_run` only look whether its id is taken."""
        if dry_run:
            self._require_free(manifest.id)
        else:
            self._send("POST", f"create {self.word} {manifest.id}", manifest)

    def apply(self, manifest: Connection | ToolchainIntegration) -> Outcome:
        """Send it, as a change where there is one."""
        try:
            before = self.get(manifest.id)
        except NotFound:
            self._send("POST", f"create {self.word} {manifest.id}", manifest)
            return "created"
        answer, is_changed = self._send("PUT", f"edit {self.word} {manifest.id}", manifest)
        return "changed" if is_changed == "true" or (is_changed is None and answer != before) else "unchanged"

    def delete(self, wanted: str) -> list[str]:
        """Remove one."""
        self.server.send(f"delete {self.word} {wanted}", "DELETE", *self.path, wanted)
        return []

    def _send(self, method: str, doing: str, manifest: Connection | ToolchainIntegration) -> tuple[Form, str | None]:
        answer, headers = self.server.send(doing, method, *self.path, body=self.body(manifest))
        return self._shown(answer), headers.get(CHANGED)

    def _require_free(self, wanted: str) -> None:
        try:
            there = self.get(wanted)
        except NotFound:
            return
        if there["createdAt"] or self.kind == "Connection":
            raise AlreadyExists(
                f"there is a {self.word} {wanted!r} at {self.server.address}",
                hint="edit -f FILE changes it, --ignore-if-exists leaves it as it is",
            )

    def _shown(self, answer: Any) -> Form:
        return self.shown(ordered(answer, self.kind))


def connections_at(server: Server) -> KeptAtServer:
    """Connections."""

    def body(connection: Connection) -> Form:
        spec = connection_spec_to_api(connection_fields(connection), decrypted=True)
        return {"kind": "Connection", "id": connection.id, "spec": spec}

    return KeptAtServer(server, ("connection",), "connection", "Connection", body, as_plain)


def toolchains_at(server: Server) -> KeptAtServer:
    """Toolchains."""

    def body(toolchain: ToolchainIntegration) -> Form:
        form = toolchain_to_api(toolchain)
        return {name: form[name] for name in ("kind", "id", "spec")}

    path = ("toolchain", "integration")
    return KeptAtServer(server, path, "toolchain", "ToolchainIntegration", body, lambda form: form)


def pages(server: Server, doing: str, path: tuple[str, ...]) -> list[Any]:
    """Every entry of a list, page after page."""
    found: list[Any] = []
    for page in range(1000):
        entries = server.get(doing, *path, query={"size": PAGE, "page": page})
        found += entries if isinstance(entries, list) else []
        if not isinstance(entries, list) or len(entries) < PAGE:
            break
    return found


def ordered(answer: Any, kind: str) -> Form:
    """An answer with all fields of ODAHU's form, in the order in which a cluster gives them."""
    form = answer if isinstance(answer, dict) else {}
    empty: Form = {"kind": kind, "id": "", "createdAt": "", "updatedAt": "", "spec": {}, "status": {}}
    return {name: form[name] if form.get(name) is not None else empty[name] for name in ORDER}
