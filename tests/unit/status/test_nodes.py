"""Nodes that are compressed in the object, kept elsewhere, or of any shape."""

from __future__ import annotations

import base64
import gzip
import tracemalloc

import pytest

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


@pytest.mark.parametrize(
    "written",
    ["!", "AAAA", packed(None), packed([1]), packed({"a": {}})[:-8], packed("x"), packed_text(b"[" * 10**5)],
    ids=["no base64", "no gzip", "null", "list", "cut", "text", "deep"],
)  # fmt: skip
def test_what_is_not_gzip_of_json_of_nodes_is_unreadable(written: str) -> None:
    assert read_nodes({"compressedNodes": written}).missing == "unreadable"


def test_a_bomb_is_not_unpacked() -> None:
    written = packed_text(b"{" + b" " * (4 * LARGEST_NODES) + b"}")
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
