"""Gzip-compressed tar archives, which ODAHU 1.1 and later reads under any name. See `archive`.

ODAHU-flow packs a model with `tar -cv --use-compress-program=pigz .` and unpacks it with `tar -xvf`
(packages/operator/pkg/utils/zip.go), so names begin with `./` as there. There is no entry for the directory itself:
extracting it would change the time and mode of the target directory.
"""

from __future__ import annotations

import calendar
import tarfile
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence

from isal import isal_zlib

from odahu_argo.steps.archive import ARCHIVE_TIME, ArchiveEntry, file_changed
from odahu_argo.steps.deflate import BLOCK_SIZE, ParallelDeflate, compression_pool
from odahu_argo.storage.disk import disk_errors

_GZIP_HEADER = b"\x1f\x8b\x08\x00" + bytes(4) + b"\x00\xff"
"""Method deflate, without name and time, unknown operating system (RFC 1952, 2.3)."""
_TIME = calendar.timegm(ARCHIVE_TIME)


def tar_chunks(entries: Sequence[ArchiveEntry], on_bytes: Callable[[int], None]) -> Generator[bytes]:
    """Yield the bytes of the compressed tar, a single gzip member in the format of GNU tar, owned by root.

    Raises:
        ServiceFault: The disk failed, or a file changed its size.
    """
    checksum = size = 0
    yield _GZIP_HEADER
    with compression_pool() as pool:
        deflate = ParallelDeflate(pool)
        for block in _in_blocks(_tar_pieces(entries, on_bytes)):
            checksum = isal_zlib.crc32(block, checksum)
            size += len(block)
            if compressed := deflate.compress(block):
                yield compressed
        yield deflate.flush()
    yield checksum.to_bytes(4, "little") + (size % 2**32).to_bytes(4, "little")


def _tar_pieces(entries: Iterable[ArchiveEntry], on_bytes: Callable[[int], None]) -> Iterator[bytes]:
    """Yield headers and contents, and the two empty blocks that end a tar."""
    for entry in entries:
        yield _header(entry)
        if not entry.is_directory:
            yield from _content(entry, on_bytes)
            yield bytes(-entry.size % tarfile.BLOCKSIZE)
    yield bytes(2 * tarfile.BLOCKSIZE)


def _content(entry: ArchiveEntry, on_bytes: Callable[[int], None]) -> Iterator[bytes]:
    left = entry.size
    with disk_errors(entry.path), entry.path.open("rb") as source:
        while block := source.read(BLOCK_SIZE):
            left -= len(block)
            if left < 0:
                break
            on_bytes(len(block))
            yield block
    if left:
        raise file_changed(entry)


def _header(entry: ArchiveEntry) -> bytes:
    header = tarfile.TarInfo(f"./{entry.name}")
    header.type = tarfile.DIRTYPE if entry.is_directory else tarfile.REGTYPE
    header.mode = entry.mode
    header.size = entry.size
    header.mtime = _TIME
    return header.tobuf(tarfile.GNU_FORMAT, "utf-8", "surrogateescape")


def _in_blocks(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Join small pieces to blocks of at least `BLOCK_SIZE` bytes, so that small files compress well."""
    joined: list[bytes] = []
    size = 0
    for piece in pieces:
        joined.append(piece)
        size += len(piece)
        if size >= BLOCK_SIZE:
            yield b"".join(joined)
            joined, size = [], 0
    if joined:
        yield b"".join(joined)
