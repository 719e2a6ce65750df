"""Reproducible archives: a directory's files as a stream of bytes, compressed on all cores while it is sent.

Two formats: a gzip-compressed tar, which ODAHU 1.1 and later reads, and a zip for ODAHU 1.0. The bytes depend on names,
contents and executable files only, never on times, users or the order of a directory.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from pathlib import Path

from odahu_argo.contract import ARCHIVES, TAR
from odahu_argo.errors import ServiceFault, UserError
from odahu_argo.storage.disk import disk_errors

ARCHIVE_TIME = (1980, 1, 1, 0, 0, 0)
"""UTC time of all entries: the oldest that zip can store. GNU tar warns about 1970, the oldest of tar."""


@dataclass(frozen=True, slots=True)
class ArchiveEntry:
    """A file or directory, its name in the archive, and its uncompressed size in bytes; 0 for a directory."""

    name: str
    path: Path
    size: int = 0
    is_directory: bool = False
    is_executable: bool = False

    @property
    def mode(self) -> int:
        """Permissions in the archive: writable by the owner, readable by all."""
        return 0o755 if self.is_directory or self.is_executable else 0o644


def list_entries(directory: Path) -> list[ArchiveEntry]:
    """List all files and directories below `directory`, sorted by name. A symbolic link is listed as the file it points to.

    Raises:
        UserError: A link is broken or points outside the directory, or a file is not a regular file.
        ServiceFault: The disk failed.
    """
    with disk_errors(directory):
        paths = sorted((path.relative_to(directory).as_posix(), path) for path in directory.rglob("*"))
        return [_entry(directory, path, name) for name, path in paths]


def archive_chunks(entries: Sequence[ArchiveEntry], form: str, on_bytes: Callable[[int], None]) -> Generator[bytes]:
    """Yield the bytes of the archive in the format `form`; `on_bytes` receives the number of bytes read.

    Raises:
        UserError: The format is unknown.
        ServiceFault: The disk failed, or a file changed.
    """
    from odahu_argo.steps.tar_archive import tar_chunks
    from odahu_argo.steps.zip_archive import zip_chunks

    if form not in ARCHIVES:
        raise UserError(f"unknown artifact format {form!r}", hint=f"use one of {', '.join(ARCHIVES)}")
    return (tar_chunks if form == TAR else zip_chunks)(entries, on_bytes)


def max_archive_size(entries: Sequence[ArchiveEntry]) -> int:
    """Return an upper bound of the archive's size in either format.

    Deflate adds less than 0.2 percent. A zip stores each name twice, a tar pads each file and long name to 512 bytes.
    """
    return sum(entry.size + entry.size // 500 + 8 * len(entry.name) + 2560 for entry in entries) + 16 * 1024


def file_changed(entry: ArchiveEntry) -> ServiceFault:
    """Return the error for a file whose size differs from its header, which is already sent."""
    return ServiceFault(f"{entry.name} of the model changed while it was packed", hint="repeat the step")


def _entry(directory: Path, path: Path, name: str) -> ArchiveEntry:
    if path.is_dir() and not path.is_symlink():
        return ArchiveEntry(name, path, is_directory=True)
    resolved = path.resolve()
    if not resolved.is_relative_to(directory.resolve()) or not resolved.is_file():
        raise UserError(
            f"{name} of the model is neither a file nor a symbolic link to a file of the model",
            hint="log or write the file itself instead",
        )
    facts = path.stat()
    return ArchiveEntry(name, path, facts.st_size, is_executable=bool(facts.st_mode & 0o100))
