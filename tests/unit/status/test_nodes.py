"""Nodes that are compressed in the object, kept elsewhere, or of any shape."""

from __future__ import annotations

import base64
import gzip
import tracemalloc
from collections.abc import Callable

import brotli
import pytest
from backports import zstd

from odahu_argo.status.nodes import LARGEST_NODES, read_nodes, results
from tests.unit.status.recordings import NAMES, recording
from tests.unit.status.variants import packed


def packed_text(written: bytes) -> str:
    return base64.b64encode(gzip.compress(written, mtime=0)).decode()


@pytest.mark.parametrize("name", NAMES)
def test_compressed_nodes_are_the_same_nodes(name: str) -> None:
    status = recording(name)["status"]
    nodes = status.get("nodes") or {}
    assert read_nodes({"compressedNodes": packed(nodes)}).found == read_nodes(status).found


WRITTEN_BY_ARGOS_LIBRARIES = {
    "zstd": "KLUv/QQAFQIAAgQOFaA5A8IFE7I0LrGZMvCKhVONdVVBDK09rO4mwngiiFDfyQjGUy3rexUdC8gC7YcnneHHHJOryiwCEARVCtrCxRjPuw==",
    "brotli": "G1IAAATEbakv/8LrSxJDEy5i8CaTCBtwAhasEwy7zTRswFFg6evr0eFLTQ1/rMBlCNn3gHIyboR1TOPUEwiJbZx2M1dO/gc=",
    "pgzip": "H4sIAAAJbogA/wBTAKz/eyJ3aW5lLTEtMSI6eyJpZCI6IndpbmUtMS0xIiwibmFtZSI6IndpbmUtMS50cmFpbiIsInR5cGUi"
    "OiJQb2QiLCJwaGFzZSI6IlJ1bm5pbmcifX0AAAD//wMAmfmXJVMAAAA=",
}
"""One running pod, by the Go packages of Argo 4.1.2: klauspost/compress, andybalholm/brotli, klauspost/pgzip."""


@pytest.mark.parametrize("algorithm", WRITTEN_BY_ARGOS_LIBRARIES)
def test_every_way_of_compressing_that_argo_has_is_read(algorithm: str) -> None:
    [node] = read_nodes({"compressedNodes": WRITTEN_BY_ARGOS_LIBRARIES[algorithm]}).found
    assert (node.id, node.type, node.phase) == ("wine-1-1", "Pod", "Running")
    cut = base64.b64encode(base64.b64decode(WRITTEN_BY_ARGOS_LIBRARIES[algorithm])[:-6]).decode()
    assert read_nodes({"compressedNodes": cut}).missing == "unreadable"


@pytest.mark.parametrize(
    "written",
    ["!", "AAAA", packed(None), packed([1]), packed({"a": {}})[:-8], packed("x"), packed_text(b"[" * 10**5)],
    ids=["no base64", "no gzip", "null", "list", "cut", "text", "deep"],
)  # fmt: skip
def test_what_is_not_json_of_nodes_compressed_is_unreadable(written: str) -> None:
    assert read_nodes({"compressedNodes": written}).missing == "unreadable"


@pytest.mark.parametrize("compress", [gzip.compress, zstd.compress, lambda bomb: brotli.compress(bomb, quality=1)])
def test_a_bomb_is_not_unpacked(compress: Callable[[bytes], bytes]) -> None:
    written = base64.b64encode(compress(b"{" + b" " * (4 * LARGEST_NODES) + b"}")).decode()
    tracemalloc.start()
    assert read_nodes({"compressedNodes": written}).missing == "unreadable"
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 3 * LARGEST_NODES


def test_nodes_kept_elsewhere_say_so() -> None:
    assert read_nodes({"offloadNodeStatusVersion": "fnv:1"}).missing == "offloaded"
    assert read_nodes({"offloadNodeStatusVersion": "fnv:1", "nodes": {"a": {"phase": "Running"}}}).missing == ""
    assert read_nodes({"offloadNodeStatusVersion": ""}).missing == ""


@pytest.mark.parametrize(
    ("written", "progress"),
    [("3/4", 0.75), ("0/100", 0.0), ("5/4", None), ("1/0", None), ("a/b", None), ("", None), ("7", None), (None, None)],
)
def test_progress_is_between_0_and_1(written: object, progress: float | None) -> None:
    assert read_nodes({"nodes": {"a": {"progress": written}}}).found[0].progress == progress


def test_numbers_that_are_none_count_as_nothing() -> None:
    for number in (True, 10**5000, "9" * 5000, 1.5, "²"):
        assert read_nodes({"nodes": {"a": {"outputs": {"exitCode": number}}}}).found[0].exit_code is None


def test_outputs_go_by_their_global_name_and_need_a_value() -> None:
    listed = [
        {"name": "a", "globalName": "b", "value": "1"},
        {"name": "c", "value": "2"},
        {"name": "d"},
        {"value": "3"},
        4,
    ]
    assert results(listed) == {"b": "1", "c": "2"}
