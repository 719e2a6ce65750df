"""A folder as a zip that is the same, byte for byte, whenever the content is the same; it is made while it is sent."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from odahu_argo.errors import UserError
from odahu_argo.steps.deflate import PIECE, Deflate, cores
from odahu_argo.storage.disk import disk_errors

_OLDEST_TIME = (1980, 1, 1, 0, 0, 0)
_FILE_MODE = 0o100644
_UNIX = 3


@dataclass(frozen=True, slots=True)
class Entry:
    """A file and its name in the zip; `size` in bytes, uncompressed."""

    name: str
    path: Path
    size: int


def entries_below(folder: Path) -> list[Entry]:
    """All files below `folder`, in the order of their names. A symbolic link stands for the file it leads to.

    Raises:
        UserError: a link leads out of the folder, or nowhere.
        ServiceFault: the disk is failing.
    """
    with disk_errors(folder):
        files = sorted(
            (path.relative_to(folder).as_posix(), path) for path in folder.rglob("*") if not _is_folder(path)
        )
        for name, path in files:
            _require_inside(folder, path, name)
        return [Entry(name, path, path.stat().st_size) for name, path in files]


def zip_chunks(entries: Sequence[Entry], on_bytes: Callable[[int], None]) -> Generator[bytes]:
    """The zip's bytes, a chunk at a time, with one fixed time and mode for all files; `on_bytes` is told what was read.

    Nothing can be gone back to, so the sizes of a file follow its content (APPNOTE.TXT 4.3.9), as well as standing in
    the directory at the zip's end.

    Raises:
        ServiceFault: the disk is failing.
    """
    made = _Made()
    with cores() as pool, zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:  # type: ignore[call-overload]
        for entry in entries:
            header = _header(entry)
            with disk_errors(entry.path), entry.path.open("rb") as source, archive.open(header, "w") as sink:
                _deflate_by(sink, Deflate(pool))
                while piece := source.read(PIECE):
                    sink.write(piece)
                    on_bytes(len(piece))
                    yield from made.take()
    yield from made.take()


def most_bytes(entries: Sequence[Entry]) -> int:
    """What the zip comes to at most: deflate makes nothing larger by more than a thousandth, names stand there twice."""
    return sum(entry.size + entry.size // 500 + 8 * len(entry.name) + 512 for entry in entries) + 1024


class _Made:
    """The file that `zipfile` writes to: what it has written since one last took it."""

    def __init__(self) -> None:
        self._chunks: list[bytes] = []

    def write(self, chunk: bytes) -> int:
        self._chunks.append(chunk)
        return len(chunk)

    def flush(self) -> None:
        """There is nowhere to flush to."""

    def take(self) -> list[bytes]:
        chunks, self._chunks = self._chunks, []
        return chunks


def _header(entry: Entry) -> zipfile.ZipInfo:
    header = zipfile.ZipInfo(entry.name, _OLDEST_TIME)
    header.create_system = _UNIX
    header.external_attr = _FILE_MODE << 16
    header.compress_type = zipfile.ZIP_DEFLATED
    header.file_size = entry.size
    return header


def _deflate_by(sink: Any, compressor: Deflate) -> None:
    """zipfile offers no choice of compressor. One that looked elsewhere for its own would use that, which is right too."""
    sink._compressor = compressor


def _is_folder(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink()


def _require_inside(folder: Path, path: Path, name: str) -> None:
    resolved = path.resolve()
    if not resolved.is_relative_to(folder.resolve()) or not resolved.is_file():
        raise UserError(
            f"{name} of the model is neither a file nor a symbolic link to a file of the model",
            hint="log or write the file itself instead",
        )
