"""Connections and toolchains of this machine: manifest files, which the backend reads and never changes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NoReturn

from odahu_argo.backends.base import NotSupported
from odahu_argo.errors import NotFound, UserError
from odahu_argo.kube.apply import Outcome
from odahu_argo.manifest.load import Manifests, load_with_problems
from odahu_argo.manifest.models import Connection, ToolchainIntegration
from odahu_argo.manifest.resolve import BUILT_IN_TOOLCHAINS
from odahu_argo.odahu_api import Document
from odahu_argo.resources.connection_secret import connection_fields, connection_spec_to_api
from odahu_argo.resources.toolchains import toolchain_to_api


@dataclass(frozen=True, slots=True)
class ManifestDirectories:
    """All .yaml, .yml and .json files below some directories."""

    directories: Sequence[Path]

    def read(self) -> Manifests:
        """Return the connections and toolchains. Trainings are submitted separately and left out."""
        return replace(load_with_problems(self.directories), trainings=()) if self.directories else Manifests()

    def read_valid(self) -> Manifests:
        """Return the connections and toolchains.

        Raises:
            UserError: The manifests have errors. Reports all of them.
        """
        manifests = self.read()
        if manifests.problems:
            raise UserError(manifests.problems)
        return manifests


@dataclass(frozen=True, slots=True)
class _ReadOnlyResources:
    """Resources in manifest files, which cannot be changed through a backend."""

    manifests: ManifestDirectories

    def check_writable(self) -> None:
        """Raise NotSupported."""
        _refuse()

    def check(self, manifest: Any) -> None:
        """Raise NotSupported."""
        _refuse()

    def check_edit(self, resource_id: str) -> None:
        """Raise NotSupported."""
        _refuse()

    def check_delete(self, resource_id: str) -> None:
        """Raise NotSupported."""
        _refuse()

    def create(self, manifest: Any, dry_run: bool = False) -> None:
        """Raise NotSupported."""
        _refuse()

    def apply(self, manifest: Any) -> Outcome:
        """Raise NotSupported."""
        _refuse()

    def delete(self, resource_id: str) -> Sequence[str]:
        """Raise NotSupported."""
        _refuse()


class LocalConnections(_ReadOnlyResources):
    """Connections in manifest files."""

    def list(self, decrypted: bool = False) -> Sequence[Document]:
        """Return every connection, sorted by ID."""
        found = sorted(self._read(), key=lambda connection: connection.id)
        return [_connection_document(connection, decrypted) for connection in found]

    def get(self, resource_id: str, decrypted: bool = False) -> Document:
        """Return one connection."""
        for connection in self._read():
            if connection.id == resource_id:
                return _connection_document(connection, decrypted)
        raise NotFound(
            f"connection {resource_id!r} does not exist in the directories of --manifest-dir", entity=resource_id
        )

    def _read(self) -> Iterable[Connection]:
        return (written.manifest for written in self.manifests.read_valid().connections)


class LocalToolchains(_ReadOnlyResources):
    """Toolchains in manifest files, and built-in ones."""

    def list(self, decrypted: bool = False) -> Sequence[Document]:
        """Return every toolchain, sorted by ID."""
        own = {written.manifest.id: written.manifest for written in self.manifests.read_valid().toolchains}
        toolchains = BUILT_IN_TOOLCHAINS | own
        return [toolchain_to_api(toolchains[name]) | _times(toolchains[name]) for name in sorted(toolchains)]

    def get(self, resource_id: str, decrypted: bool = False) -> Document:
        """Return one toolchain."""
        for document in self.list():
            if document["id"] == resource_id:
                return document
        raise NotFound(
            f"toolchain {resource_id!r} is not built in and not in the directories of --manifest-dir",
            entity=resource_id,
        )


def _connection_document(connection: Connection, decrypted: bool) -> Document:
    spec = connection_spec_to_api(connection_fields(connection), decrypted)
    return {"kind": "Connection", "id": connection.id, **_times(connection), "spec": spec, "status": {}}


def _times(manifest: Connection | ToolchainIntegration) -> dict[str, str]:
    return {"createdAt": manifest.created_at or "", "updatedAt": manifest.updated_at or ""}


def _refuse() -> NoReturn:
    raise NotSupported(
        "changing connections and toolchains is not supported on this machine: they are read from files",
        hint="edit the files in the directories of --manifest-dir",
    )
