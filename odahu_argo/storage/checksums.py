"""Checksums of what has come, written as the stores write them: big-endian, in base64."""

from __future__ import annotations

import base64
import hashlib
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path

_CHUNK = 1024 * 1024


def crc32c(content: bytes) -> str:
    """The CRC32C of these bytes."""
    import google_crc32c

    return _written(google_crc32c.value(content))


def crc32c_of_file(file: Path) -> str:
    """The CRC32C of the file's bytes.

    Raises:
        OSError: it cannot be read.
    """
    import google_crc32c

    value = 0
    with file.open("rb", buffering=0) as reader:
        while chunk := reader.read(_CHUNK):
            value = google_crc32c.extend(value, chunk)
    return _written(value)


def fits_s3(headers: Mapping[str, str], content: bytes) -> bool:
    """Whether the content has each checksum that these headers of S3's tell of the whole of it (Amazon S3: GetObject).

    One of parts, which ends in their number, tells nothing of the whole.
    """
    told = ((reckon, headers.get(f"x-amz-checksum-{name}", "")) for name, reckon in _S3.items())
    return all(reckon(content) == value for reckon, value in told if value and "-" not in value)


def _crc32(content: bytes) -> str:
    return _written(zlib.crc32(content))


def _crc64nvme(content: bytes) -> str:
    from awscrt.checksums import crc64nvme

    return _written(crc64nvme(content), 8)


def _sha1(content: bytes) -> str:
    return base64.b64encode(hashlib.sha1(content, usedforsecurity=False).digest()).decode()


def _sha256(content: bytes) -> str:
    return base64.b64encode(hashlib.sha256(content).digest()).decode()


def _written(value: int, length: int = 4) -> str:
    return base64.b64encode(value.to_bytes(length, "big")).decode()


_S3: Mapping[str, Callable[[bytes], str]] = {
    "crc32": _crc32,
    "crc32c": crc32c,
    "crc64nvme": _crc64nvme,
    "sha1": _sha1,
    "sha256": _sha256,
}
