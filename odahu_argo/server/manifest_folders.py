"""Connections and toolchains from folders of manifests: shown by the API, changed in their files."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NoReturn

from odahu_argo.errors import NotFound, UserError
from odahu_argo.manifest.load import Manifests, gather
from odahu_argo.manifest.models import Connection, ToolchainIntegration
from odahu_argo.manifest.resolve import BUILT_IN_TOOLCHAINS
from odahu_argo.odahu_api import as_base64
from odahu_argo.resources.connection_secret import connection_fields, connection_spec_to_api
from odahu_argo.resources.toolchains import toolchain_to_api
from odahu_argo.server.errors import NotAllowed
from odahu_argo.server.source import Form, Updated


@dataclass(frozen=True, slots=True)
class ManifestFolders:
    """Every .yaml, .yml and .json below these folders, read anew whenever it is asked for."""

    folders: Sequence[Path]

    def read(self) -> Manifests:
        """The connections and toolchains in them. Trainings are left out: the API is sent those."""
        return replace(gather(self.folders), trainings=()) if self.folders else Manifests()

    def whole(self) -> Manifests:
        """The same.

        Raises:
            UserError: with every mistake in them.
        """
        found = self.read()
        if found.problems:
            raise UserError(found.problems)
        return found


@dataclass(frozen=True, slots=True)
class ConnectionsInFolders:
    """The connections of the folders."""

    folders: ManifestFolders

    def all(self) -> list[Form]:
        """Every connection, by id."""
        return sorted((_form(connection, False) for connection in self._found()), key=lambda form: str(form["id"]))

    def get(self, connection_id: str, decrypted: bool = False) -> Form:
        """One connection."""
        for connection in self._found():
            if connection.id == connection_id:
                return _form(connection, decrypted)
        raise NotFound(f"there is no connection {connection_id!r} in the folders of manifests")

    def create(self, body: object) -> Form:
        """Not here."""
        _refuse("connection")

    def update(self, body: object) -> Updated:
        """Not here."""
        _refuse("connection")

    def delete(self, connection_id: str) -> None:
        """Not here."""
        _refuse("connection")

    def _found(self) -> Iterable[Connection]:
        return (written.manifest for written in self.folders.whole().connections)


@dataclass(frozen=True, slots=True)
class ToolchainsInFolders:
    """The toolchains of the folders, and those built in."""

    folders: ManifestFolders

    def all(self) -> list[Form]:
        """Every toolchain, by id."""
        found = BUILT_IN_TOOLCHAINS | {each.manifest.id: each.manifest for each in self.folders.whole().toolchains}
        return [_toolchain_form(found[name]) for name in sorted(found)]

    def get(self, toolchain_id: str) -> Form:
        """One toolchain."""
        for form in self.all():
            if form["id"] == toolchain_id:
                return form
        raise NotFound(f"there is no toolchain {toolchain_id!r} in the folders of manifests, and none is built in")

    def create(self, body: object) -> Form:
        """Not here."""
        _refuse("toolchain")

    def update(self, body: object) -> Updated:
        """Not here."""
        _refuse("toolchain")

    def delete(self, toolchain_id: str) -> None:
        """Not here."""
        _refuse("toolchain")


def _toolchain_form(toolchain: ToolchainIntegration) -> Form:
    return toolchain_to_api(toolchain) | _times(toolchain)


def _times(written: Connection | ToolchainIntegration) -> dict[str, str]:
    return {"createdAt": written.created_at or "", "updatedAt": written.updated_at or ""}


def _form(connection: Connection, decrypted: bool) -> Form:
    spec = connection_spec_to_api(connection_fields(connection), decrypted)
    return as_base64({"kind": "Connection", "id": connection.id, **_times(connection), "spec": spec, "status": {}})


def _refuse(what: str) -> NoReturn:
    raise NotAllowed(f"a {what} of this machine is kept in a file", hint="change it in the folder of --manifest-dir")
