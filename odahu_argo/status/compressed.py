"""Node statuses as Argo compresses them into `status.compressedNodes`: base64 of gzip, zstd or brotli of JSON.

gzip is Argo's default; the others are chosen on the controller since 4.1. zstd and gzip are known by their first bytes, and
brotli has none: https://argo-workflows.readthedocs.io/en/latest/offloading-large-workflows/#node-status-compression
"""

from __future__ import annotations

import base64
import json
import sys
import zlib
from collections.abc import Mapping
from typing import Any

LARGEST_NODES = 16 * 1024 * 1024
"""Bytes of JSON. Argo compresses nodes that would not fit an object of one MiB; more than this is no workflow of ours."""
_GZIP, _GZIP_WINDOW = b"\x1f\x8b", 31
_ZSTD = b"\x28\xb5\x2f\xfd"


def unpack(compressed: str) -> Mapping[str, Any] | None:
    """The nodes by their ids; None where it is not what Argo writes, or too large. Never raises."""
    if len(compressed) > LARGEST_NODES:
        return None
    try:
        raw = base64.b64decode(compressed, validate=True)
        unpacked = _gzip(raw) if raw.startswith(_GZIP) else _zstd(raw) if raw.startswith(_ZSTD) else _brotli(raw)
        value = None if unpacked is None else json.loads(unpacked)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, Mapping) else None


def _gzip(raw: bytes) -> bytes | None:
    unpacking = zlib.decompressobj(_GZIP_WINDOW)
    try:
        unpacked = unpacking.decompress(raw, LARGEST_NODES)
    except zlib.error:
        return None
    return unpacked if unpacking.eof else None


def _zstd(raw: bytes) -> bytes | None:
    if sys.version_info >= (3, 14):
        from compression import zstd
    else:
        from backports import zstd

    unpacking = zstd.ZstdDecompressor()
    try:
        unpacked = unpacking.decompress(raw, LARGEST_NODES)
    except zstd.ZstdError:
        return None
    return unpacked if unpacking.eof else None


def _brotli(raw: bytes) -> bytes | None:
    import brotli

    unpacking = brotli.Decompressor()
    try:
        unpacked: bytes = unpacking.process(raw, output_buffer_limit=LARGEST_NODES)
    except brotli.error:
        return None
    return unpacked if unpacking.is_finished() and len(unpacked) <= LARGEST_NODES else None
