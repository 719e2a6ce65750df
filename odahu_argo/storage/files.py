"""A local folder as an object store, for trainings without a cluster.

obstore's LocalStore is not used: it hides files with names like `a#1`, and does not report a missing folder.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from odahu_argo.errors import UserError
from odahu_argo.storage.base import StoredObject, TransferStopped
from odahu_argo.storage.disk import PARTIAL, atomic_file, disk_errors, make_folder

_CHUNK = 1024 * 1024


@dataclass(frozen=True, slots=True)
class FileStore:
    """The folder `root` as a bucket. Uploads create it, reads require it."""

    root: Path

    @classmethod
    def at(cls, folder: str) -> FileStore:
        """Return the store for an absolute folder, which need not exist."""
        return cls(Path(os.path.normpath(folder)))

    def url(self, key: str) -> str:
        """Return the `file://` address of a file."""
        return f"file://{self.root / key}"

    def list(self, folder: str) -> Iterator[StoredObject]:
        """Iterate over the files below `folder` in the order of their keys, without unfinished uploads."""
        self._require_root()
        paths = (
            Path(parent) / name
            for parent, _, names in os.walk(self._path(folder))
            for name in names
            if not (name.startswith(".") and name.endswith(PARTIAL))
        )
        yield from sorted((self._stored(path) for path in paths if path.is_file()), key=lambda entry: entry.key)

    def stat(self, key: str) -> StoredObject | None:
        """Return the file with exactly this key."""
        self._require_root()
        path = self._path(key)
        return self._stored(path) if path.is_file() else None

    def read(self, source: StoredObject, start: int = 0, end: int | None = None) -> Iterator[bytes]:
        """Iterate over the bytes of the file."""
        path = self._path(source.key)
        if not path.is_file():
            raise UserError(
                f"the file {self.url(source.key)} does not exist", hint="check the connection's uri and remotePath"
            )
        left = (source.size if end is None else end) - start
        with disk_errors(path), path.open("rb") as reader:
            reader.seek(start)
            while left > 0 and (chunk := reader.read(min(left, _CHUNK))):
                left -= len(chunk)
                yield chunk

    def upload(
        self, chunks: Iterator[bytes], key: str, max_size: int, owner: str, stopped: threading.Event | None = None
    ) -> int:
        """Write the chunks to a file of the store, atomically."""
        target, size = self._path(key), 0
        make_folder(target.parent)
        with atomic_file(target, owner) as partial, partial.open("wb") as writer:
            for chunk in chunks:
                if stopped and stopped.is_set():
                    raise TransferStopped
                size += writer.write(chunk)
        return size

    def _path(self, key: str) -> Path:
        path = Path(os.path.normpath(self.root / key.lstrip("/")))
        if not path.is_relative_to(self.root) or "\0" in key:
            raise UserError(f"the path {key!r} is outside of the folder {self.root}", hint="write a path without `..`")
        return path

    def _require_root(self) -> None:
        if not self.root.is_dir():
            raise UserError(f"the folder {self.root} does not exist", hint="create it, or correct the connection's uri")

    def _stored(self, path: Path) -> StoredObject:
        facts = path.stat()
        return StoredObject(path.relative_to(self.root).as_posix(), facts.st_size, facts.st_mtime)
