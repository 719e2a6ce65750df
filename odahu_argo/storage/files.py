"""A folder of this machine as an object store, for trainings without a cluster."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from odahu_argo.errors import UserError
from odahu_argo.storage.base import OnBytes, StoredObject
from odahu_argo.storage.chunks import ChunkReader
from odahu_argo.storage.disk import PARTIAL, disk_errors, make_folder, whole_file

_CHUNK = 1024 * 1024


@dataclass(frozen=True, slots=True)
class FileStore:
    """The folder `root` plays the bucket, so paths count from it. Uploading creates it, reading wants it there."""

    root: Path

    @classmethod
    def at(cls, folder: str) -> FileStore:
        """The store in this absolute folder, which need not exist yet."""
        return cls(Path(os.path.normpath(folder)))

    def url(self, key: str) -> str:
        """The file as a `file://` address."""
        return f"file://{self.root / key}"

    def list(self, prefix: str) -> Iterator[StoredObject]:
        """Files below the root in the order of their keys; unfinished uploads are left out."""
        self._require_root()
        folder = self._path(prefix.rpartition("/")[0])
        found = (
            Path(parent) / name
            for parent, _, names in os.walk(folder)
            for name in names
            if not (name.startswith(".") and name.endswith(PARTIAL))
        )
        objects = (self._describe(path) for path in found if path.is_file())
        yield from sorted((entry for entry in objects if entry.key.startswith(prefix)), key=lambda entry: entry.key)

    def stat(self, key: str) -> StoredObject | None:
        """The file of exactly this key."""
        self._require_root()
        path = self._path(key)
        return self._describe(path) if path.is_file() else None

    def download(self, key: str, target: Path, on_bytes: OnBytes) -> None:
        """Copy the file's bytes."""
        source = self._path(key)
        if not source.is_file():
            raise UserError(f"there is no file {self.url(key)}", hint="see the connection's uri and the remotePath")
        _copy(source, target, on_bytes)

    def start(self, source: StoredObject, target: Path, on_bytes: OnBytes) -> None:
        """Copying is work for `download` alone."""

    def turn(self, seconds: float) -> bool:
        """Nothing is ever started."""
        return False

    def upload(
        self, chunks: Iterator[bytes], key: str, most: int, owner: str, stopped: threading.Event | None = None
    ) -> int:
        """Write what comes into a file of the store, whole or not at all."""
        content, target = ChunkReader(chunks, stopped), self._path(key)
        make_folder(target.parent)
        with whole_file(target, owner) as partial, partial.open("wb") as writer:
            shutil.copyfileobj(content, writer, _CHUNK)
        return content.tell()

    def _path(self, key: str) -> Path:
        path = Path(os.path.normpath(self.root / key.lstrip("/")))
        if not path.is_relative_to(self.root) or "\0" in key:
            raise UserError(f"the path {key!r} leaves the folder {self.root}", hint="write a path without `..`")
        return path

    def _require_root(self) -> None:
        if not self.root.is_dir():
            raise UserError(f"there is no folder {self.root}", hint="create it, or mend the connection's uri")

    def _describe(self, path: Path) -> StoredObject:
        facts = path.stat()
        return StoredObject(path.relative_to(self.root).as_posix(), facts.st_size, facts.st_mtime)


def _copy(source: Path, target: Path, on_bytes: OnBytes) -> None:
    with disk_errors(source), source.open("rb") as reader, target.open("wb") as writer:
        while chunk := reader.read(_CHUNK):
            writer.write(chunk)
            on_bytes(len(chunk))
