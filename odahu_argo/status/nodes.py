"""Nodes of a Workflow's status, parsed leniently: plain, compressed, or offloaded to a database.

Source: Argo's `NodeStatus` (https://argo-workflows.readthedocs.io/en/latest/fields/#nodestatus) and
https://argo-workflows.readthedocs.io/en/latest/offloading-large-workflows/.
"""

from __future__ import annotations

import base64
import json
import sys
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from odahu_argo.status.unstructured import get_path, integer, mapping, sequence, text

MAX_NODES = 20_000
MAX_DECOMPRESSED_BYTES = 16 * 1024 * 1024
"""Limit on the JSON of compressed nodes. Argo compresses nodes to fit them into an object of 1 MiB."""
POD_NAME_FORMAT = "workflows.argoproj.io/pod-name-format"
MAX_POD_NAME_PREFIX = 242
"""Argo's `maxPrefixLength - 1` (workflow/util/pod_name.go)."""

POD_TYPES = frozenset({"Pod", "HTTP", "Plugin"})
FAILED = frozenset({"Failed", "Error"})
SKIPPED = frozenset({"Skipped", "Omitted"})

_GZIP_MAGIC, _GZIP_WINDOW_BITS = b"\x1f\x8b", 31
_ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"


@dataclass(frozen=True, slots=True)
class Node:
    """One node of a Workflow's status. Missing texts are empty.

    `name` is the path from the workflow (`wine-1.train(0)`), `template` the executed template, `lock` the lock the node
    waits for, `results` the non-empty output parameters by global name, and `log` Argo's entry of the archived log.
    """

    id: str
    name: str
    type: str
    phase: str
    message: str
    template: str
    started: str
    finished: str
    host: str
    lock: str
    exit_code: int | None
    progress: float | None
    results: Mapping[str, str]
    log: Mapping[str, Any] | None

    @property
    def is_pod(self) -> bool:
        """Whether the node does work itself, unlike a DAG or Retry node."""
        return self.type in POD_TYPES

    @property
    def has_started(self) -> bool:
        """Whether the node's pod has started."""
        if self.phase in FAILED:
            return self.exit_code is not None or bool(self.host)
        return self.phase in ("Running", "Succeeded")


@dataclass(frozen=True, slots=True)
class NodeList:
    """Nodes in order of their start, and why they are missing if they are.

    `offloaded`: Argo keeps them in its database. `unreadable`: they are too many or cannot be decompressed.
    """

    items: tuple[Node, ...] = ()
    missing: Literal["", "offloaded", "unreadable"] = ""


def read_nodes(status: object) -> NodeList:
    """Return the nodes of a Workflow's status, ignoring entries that are not mappings. Never raises."""
    raw_nodes = get_path(status, "nodes")
    if isinstance(raw_nodes, Mapping) and raw_nodes:
        return _parse_nodes(raw_nodes)
    if text(get_path(status, "offloadNodeStatusVersion")):
        return NodeList(missing="offloaded")
    compressed = get_path(status, "compressedNodes")
    if isinstance(compressed, str) and compressed:
        decompressed = decompress(compressed)
        return NodeList(missing="unreadable") if decompressed is None else _parse_nodes(decompressed)
    return NodeList()


def pod_name(metadata: Mapping[str, Any], node: Node) -> str:
    """Return the name of a node's pod, computed like Argo's `GeneratePodName`."""
    workflow = text(metadata.get("name"))
    if get_path(metadata, "annotations", POD_NAME_FORMAT) == "v1":
        return node.id
    if node.name == workflow:
        return workflow
    prefix = f"{workflow}-{node.template}" if node.template else workflow
    return f"{prefix[:MAX_POD_NAME_PREFIX]}-{node.id.rpartition('-')[2]}"


def read_results(parameters: object) -> dict[str, str]:
    """Return output parameters that have a value, by global name or else by name."""
    results: dict[str, str] = {}
    for parameter in map(mapping, sequence(parameters)):
        name, value = parameter.get("globalName") or parameter.get("name"), text(parameter.get("value"))
        if isinstance(name, str) and value:
            results[text(name)] = value
    return results


def _parse_nodes(raw_nodes: Mapping[Any, Any]) -> NodeList:
    if len(raw_nodes) > MAX_NODES:
        return NodeList(missing="unreadable")
    nodes = [_parse_node(text(key), value) for key, value in raw_nodes.items() if isinstance(value, Mapping)]
    return NodeList(tuple(sorted(nodes, key=lambda node: (node.started or "~", node.name))))


def _parse_node(key: str, raw: Mapping[str, Any]) -> Node:
    outputs = mapping(raw.get("outputs"))
    logs = [entry for entry in sequence(outputs.get("artifacts")) if mapping(entry).get("name") == "main-logs"]
    return Node(
        id=text(raw.get("id")) or key,
        name=text(raw.get("name")) or text(raw.get("displayName")) or key,
        type=text(raw.get("type")),
        phase=text(raw.get("phase")),
        message=text(raw.get("message")),
        template=text(raw.get("templateName")) or text(get_path(raw, "templateRef", "template")),
        started=text(raw.get("startedAt")),
        finished=text(raw.get("finishedAt")),
        host=text(raw.get("hostNodeName")),
        lock=text(get_path(raw, "synchronizationStatus", "waiting")),
        exit_code=integer(outputs.get("exitCode")),
        progress=_parse_progress(text(raw.get("progress"))),
        results=read_results(outputs.get("parameters")),
        log=mapping(logs[-1]) if logs else None,
    )


def _parse_progress(progress: str) -> float | None:
    """Convert `N/M` to a number between 0 and 1."""
    done, _, total = map(integer, progress.partition("/"))
    return done / total if done is not None and total and 0 <= done <= total else None


def decompress(compressed: str) -> Mapping[str, Any] | None:
    """Return the nodes of `compressedNodes` by ID, or None if the value is malformed or too large. Never raises."""
    if len(compressed) > MAX_DECOMPRESSED_BYTES:
        return None
    try:
        data = base64.b64decode(compressed, validate=True)
        if data.startswith(_GZIP_MAGIC):
            decompressed = _gunzip(data)
        elif data.startswith(_ZSTD_MAGIC):
            decompressed = _decompress_zstd(data)
        else:
            decompressed = _decompress_brotli(data)
        nodes = None if decompressed is None else json.loads(decompressed)
    except (ValueError, RecursionError):
        return None
    return nodes if isinstance(nodes, Mapping) else None


def _gunzip(data: bytes) -> bytes | None:
    decompressor = zlib.decompressobj(_GZIP_WINDOW_BITS)
    try:
        decompressed = decompressor.decompress(data, MAX_DECOMPRESSED_BYTES)
    except zlib.error:
        return None
    return decompressed if decompressor.eof else None


def _decompress_zstd(data: bytes) -> bytes | None:
    if sys.version_info >= (3, 14):
        from compression import zstd
    else:
        from backports import zstd

    decompressor = zstd.ZstdDecompressor()
    try:
        decompressed = decompressor.decompress(data, MAX_DECOMPRESSED_BYTES)
    except zstd.ZstdError:
        return None
    return decompressed if decompressor.eof else None


def _decompress_brotli(data: bytes) -> bytes | None:
    import brotli

    decompressor = brotli.Decompressor()
    try:
        decompressed: bytes = decompressor.process(data, output_buffer_limit=MAX_DECOMPRESSED_BYTES)
    except brotli.error:
        return None
    return decompressed if decompressor.is_finished() and len(decompressed) <= MAX_DECOMPRESSED_BYTES else None
