"""Zip archives, which ODAHU 1.0 reads. See `archive`."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Generator, Sequence
from typing import Any

from odahu_argo.steps.archive import ARCHIVE_TIME, ArchiveEntry
from odahu_argo.steps.deflate import BLOCK_SIZE, ParallelDeflate, compression_pool
from odahu_argo.storage.disk import disk_errors

_REGULAR_FILE = 0o100000
_UNIX = 3


def zip_chunks(entries: Sequence[ArchiveEntry], on_bytes: Callable[[int], None]) -> Generator[bytes]:
    """Yield the zip's bytes. Directories without files are omitted.

    The stream is not seekable, so that each file's sizes follow its content (APPNOTE.TXT 4.3.9) and are repeated in the
    central directory.

    Raises:
        ServiceFault: The disk failed.
    """
    buffer = _ChunkBuffer()
    with compression_pool() as pool, zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:  # type: ignore[call-overload]
        for entry in entries:
            if entry.is_directory:
                continue
            header = _header(entry)
            with disk_errors(entry.path), entry.path.open("rb") as source, archive.open(header, "w") as sink:
                _set_compressor(sink, ParallelDeflate(pool))
                while block := source.read(BLOCK_SIZE):
                    sink.write(block)
                    on_bytes(len(block))
                    yield from buffer.take()
    yield from buffer.take()


class _ChunkBuffer:
    """The file object that `zipfile` writes to; `take` returns and clears its chunks."""

    def __init__(self) -> None:
        self._chunks: list[bytes] = []

    def write(self, chunk: bytes) -> int:
        self._chunks.append(chunk)
        return len(chunk)

    def flush(self) -> None:
        """Do nothing."""

    def take(self) -> list[bytes]:
        chunks, self._chunks = self._chunks, []
        return chunks


def _set_compressor(sink: Any, compressor: ParallelDeflate) -> None:
    """Replace the compressor of `zipfile`, which has no public option for it.

    If a future `zipfile` ignores the attribute, it uses its own compressor, and the archive is valid all the same.
    """
    sink._compressor = compressor


def _header(entry: ArchiveEntry) -> zipfile.ZipInfo:
    header = zipfile.ZipInfo(entry.name, ARCHIVE_TIME)
    header.create_system = _UNIX
    header.external_attr = (_REGULAR_FILE | entry.mode) << 16
    header.compress_type = zipfile.ZIP_DEFLATED
    header.file_size = entry.size
    return header
