"""Connections and toolchains at an API server."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from odahu_argo.backends.remote_client import RemoteClient
from odahu_argo.errors import AlreadyExists, NotFound
from odahu_argo.kube.apply import Outcome
from odahu_argo.manifest.models import Connection, ToolchainIntegration
from odahu_argo.odahu_api import CHANGED_HEADER, Document, decode_secrets
from odahu_argo.resources.connection_secret import connection_fields, connection_spec_to_api
from odahu_argo.resources.toolchains import toolchain_to_api

CONNECTION_PATH = ("connection",)
TOOLCHAIN_PATH = ("toolchain", "integration")
_FIELDS = ("kind", "id", "createdAt", "updatedAt", "spec", "status")


@dataclass(frozen=True, slots=True)
class RemoteResources:
    """Connections or toolchains of an API server.

    Attributes:
        path: Path of the routes.
        noun: Name of the resource in messages.
        kind: Kind of its manifests.
        to_document: Convert a manifest into a request body.
        from_document: Convert a response.
    """

    client: RemoteClient
    path: tuple[str, ...]
    noun: str
    kind: str
    to_document: Callable[[Any], Document]
    from_document: Callable[[Document], Document]

    def list(self, decrypted: bool = False) -> Sequence[Document]:
        """Return every resource, sorted by ID. The API returns secret values for one connection at a time."""
        documents = [self._read(entry) for entry in self.client.get_pages(f"list {self.noun}s", *self.path)]
        return [self.get(document["id"], decrypted=True) for document in documents] if decrypted else documents

    def get(self, resource_id: str, decrypted: bool = False) -> Document:
        """Return one resource."""
        if not resource_id:
            raise NotFound(f"{self.noun} {resource_id!r} does not exist at {self.client.url}")
        path = (*self.path, resource_id, *(("decrypted",) if decrypted else ()))
        return self._read(self.client.get(f"get {self.noun} {resource_id}", *path))

    def check_writable(self) -> None:
        """Do nothing: the server checks it."""

    def check(self, manifest: Connection | ToolchainIntegration) -> None:
        """Do nothing: the API cannot check a manifest without storing it."""

    def check_edit(self, resource_id: str) -> None:
        """Check that the resource exists."""
        self.get(resource_id)

    def check_delete(self, resource_id: str) -> None:
        """Check that the resource exists."""
        self.get(resource_id)

    def create(self, manifest: Connection | ToolchainIntegration, dry_run: bool = False) -> None:
        """Send a new resource. With `dry_run`, only check whether its ID is in use."""
        if dry_run:
            self._require_unused(manifest.id)
        else:
            self._send("POST", f"create {self.noun} {manifest.id}", manifest)

    def apply(self, manifest: Connection | ToolchainIntegration) -> Outcome:
        """Create or update a resource."""
        try:
            before = self.get(manifest.id)
        except NotFound:
            self._send("POST", f"create {self.noun} {manifest.id}", manifest)
            return "created"
        after, changed = self._send("PUT", f"edit {self.noun} {manifest.id}", manifest)
        return "changed" if changed == "true" or (changed is None and after != before) else "unchanged"

    def delete(self, resource_id: str) -> Sequence[str]:
        """Delete a resource."""
        self.client.send(f"delete {self.noun} {resource_id}", "DELETE", *self.path, resource_id)
        return []

    def _send(
        self, method: str, action: str, manifest: Connection | ToolchainIntegration
    ) -> tuple[Document, str | None]:
        document, headers = self.client.send(action, method, *self.path, body=self.to_document(manifest))
        return self._read(document), headers.get(CHANGED_HEADER)

    def _require_unused(self, resource_id: str) -> None:
        try:
            existing = self.get(resource_id)
        except NotFound:
            return
        is_built_in = self.kind == "ToolchainIntegration" and not existing["createdAt"]
        if not is_built_in:
            raise AlreadyExists(
                f"{self.noun} {resource_id!r} already exists at {self.client.url}",
                hint="change it with edit -f FILE, or keep it with --ignore-if-exists",
            )

    def _read(self, document: Any) -> Document:
        return self.from_document(normalized(document, self.kind))


def remote_connections(client: RemoteClient) -> RemoteResources:
    """Return the connections of an API server."""

    def to_document(connection: Connection) -> Document:
        spec = connection_spec_to_api(connection_fields(connection), decrypted=True)
        return {"kind": "Connection", "id": connection.id, "spec": spec}

    return RemoteResources(client, CONNECTION_PATH, "connection", "Connection", to_document, decode_secrets)


def remote_toolchains(client: RemoteClient) -> RemoteResources:
    """Return the toolchains of an API server."""

    def to_document(toolchain: ToolchainIntegration) -> Document:
        document = toolchain_to_api(toolchain)
        return {name: document[name] for name in ("kind", "id", "spec")}

    return RemoteResources(
        client, TOOLCHAIN_PATH, "toolchain", "ToolchainIntegration", to_document, lambda document: document
    )


def normalized(document: Any, kind: str) -> Document:
    """Return a document with all fields of ODAHU's API, in the order in which a cluster returns them."""
    fields = document if isinstance(document, dict) else {}
    empty: Document = {"kind": kind, "id": "", "createdAt": "", "updatedAt": "", "spec": {}, "status": {}}
    return {name: fields[name] if fields.get(name) is not None else empty[name] for name in _FIELDS}
