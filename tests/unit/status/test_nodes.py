"""Parsing of plain, compressed and offloaded nodes."""

from __future__ import annotations

import base64
import gzip
import tracemalloc
from collections.abc import Callable

import brotli
import pytest
from backports import zstd

from odahu_argo.status.nodes import MAX_DECOMPRESSED_BYTES, read_nodes, read_results
from tests.unit.status.recordings import NAMES, recording
from tests.unit.status.variants import compress


def gzip_base64(data: bytes) -> str:
    return base64.b64encode(gzip.compress(data, mtime=0)).decode()


@pytest.mark.parametrize("name", NAMES)
def test_compressed_nodes_equal_plain_nodes(name: str) -> None:
    status = recording(name)["status"]
    nodes = status.get("nodes") or {}
    assert read_nodes({"compressedNodes": compress(nodes)}).items == read_nodes(status).items


COMPRESSED_BY_GO = {
    "zstd": "KLUv/QQAFQIAAgQOFaA5A8IFE7I0LrGZMvCKhVONdVVBDK09rO4mwngiiFDfyQjGUy3rexUdC8gC7YcnneHHHJOryiwCEARVCtrCxRjPuw==",
    "brotli": "G1IAAATEbakv/8LrSxJDEy5i8CaTCBtwAhasEwy7zTRswFFg6evr0eFLTQ1/rMBlCNn3gHIyboR1TOPUEwiJbZx2M1dO/gc=",
    "pgzip": "H4sIAAAJbogA/wBTAKz/eyJ3aW5lLTEtMSI6eyJpZCI6IndpbmUtMS0xIiwibmFtZSI6IndpbmUtMS50cmFpbiIsInR5cGUi"
    "OiJQb2QiLCJwaGFzZSI6IlJ1bm5pbmcifX0AAAD//wMAmfmXJVMAAAA=",
}
"""One running pod, compressed by the Go packages of Argo 4.1.2: klauspost/compress, andybalholm/brotli, klauspost/pgzip."""


@pytest.mark.parametrize("algorithm", COMPRESSED_BY_GO)
def test_reads_compression_of_argo(algorithm: str) -> None:
    [node] = read_nodes({"compressedNodes": COMPRESSED_BY_GO[algorithm]}).items
    assert (node.id, node.type, node.phase) == ("wine-1-1", "Pod", "Running")
    truncated = base64.b64encode(base64.b64decode(COMPRESSED_BY_GO[algorithm])[:-6]).decode()
    assert read_nodes({"compressedNodes": truncated}).missing == "unreadable"


@pytest.mark.parametrize(
    "compressed",
    ["!", "AAAA", compress(None), compress([1]), compress({"a": {}})[:-8], compress("x"), gzip_base64(b"[" * 10**5)],
    ids=["no base64", "no gzip", "null", "list", "cut", "text", "deep"],
)  # fmt: skip
def test_malformed_compressed_nodes_are_unreadable(compressed: str) -> None:
    assert read_nodes({"compressedNodes": compressed}).missing == "unreadable"


@pytest.mark.parametrize("compress", [gzip.compress, zstd.compress, lambda data: brotli.compress(data, quality=1)])
def test_decompression_bomb_is_unreadable(compress: Callable[[bytes], bytes]) -> None:
    compressed = base64.b64encode(compress(b"{" + b" " * (4 * MAX_DECOMPRESSED_BYTES) + b"}")).decode()
    tracemalloc.start()
    assert read_nodes({"compressedNodes": compressed}).missing == "unreadable"
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 3 * MAX_DECOMPRESSED_BYTES


def test_offloaded_nodes() -> None:
    assert read_nodes({"offloadNodeStatusVersion": "fnv:1"}).missing == "offloaded"
    assert read_nodes({"offloadNodeStatusVersion": "fnv:1", "nodes": {"a": {"phase": "Running"}}}).missing == ""
    assert read_nodes({"offloadNodeStatusVersion": ""}).missing == ""


@pytest.mark.parametrize(
    ("value", "progress"),
    [("3/4", 0.75), ("0/100", 0.0), ("5/4", None), ("1/0", None), ("a/b", None), ("", None), ("7", None), (None, None)],
)
def test_progress(value: object, progress: float | None) -> None:
    assert read_nodes({"nodes": {"a": {"progress": value}}}).items[0].progress == progress


def test_invalid_exit_code_is_ignored() -> None:
    for number in (True, 10**5000, "9" * 5000, 1.5, "²"):
        assert read_nodes({"nodes": {"a": {"outputs": {"exitCode": number}}}}).items[0].exit_code is None


def test_results_use_global_name_and_need_a_value() -> None:
    parameters = [
        {"name": "a", "globalName": "b", "value": "1"},
        {"name": "c", "value": "2"},
        {"name": "d"},
        {"value": "3"},
        4,
    ]
    assert read_results(parameters) == {"b": "1", "c": "2"}
