"""The connections and toolchains of an API server, for commands."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from odahu_argo.client.requests import Server
from odahu_argo.client.site import Form
from odahu_argo.manifest.models import Connection, ToolchainIntegration
from odahu_argo.submit.applying import Outcome
from odahu_argo.submit.cluster import AlreadyExists, NotFound
from odahu_argo.submit.odahu_api import CHANGED, PAGE, as_plain
from odahu_argo.submit.secrets import connection_fields, spec_form
from odahu_argo.submit.toolchains import toolchain_form

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
        spec = spec_form(connection_fields(connection), decrypted=True)
        return {"kind": "Connection", "id": connection.id, "spec": spec}

    return KeptAtServer(server, ("connection",), "connection", "Connection", body, as_plain)


def toolchains_at(server: Server) -> KeptAtServer:
    """Toolchains."""

    def body(toolchain: ToolchainIntegration) -> Form:
        form = toolchain_form(toolchain)
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
