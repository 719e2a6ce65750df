"""The nodes of a Workflow's status, read leniently: in the object, compressed in it, or kept elsewhere.

Source: Argo's `NodeStatus` (https://argo-workflows.readthedocs.io/en/latest/fields/#nodestatus) and its way with large
workflows (https://argo-workflows.readthedocs.io/en/latest/offloading-large-workflows/).
"""

from __future__ import annotations

import base64
import json
import sys
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from odahu_argo.status.unstructured import look, mapping, sequence, text, whole

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


MOST_NODES = 20_000
POD_NAME_FORMAT = "workflows.argoproj.io/pod-name-format"
LONGEST_POD_NAME_BEFORE_ITS_NUMBER = 242
"""Argo's `maxPrefixLength - 1` (workflow/util/pod_name.go)."""
POD_TYPES = frozenset({"Pod", "HTTP", "Plugin"})
FAILED = frozenset({"Failed", "Error"})
SKIPPED = frozenset({"Skipped", "Omitted"})
ENDED = FAILED | SKIPPED | {"Succeeded"}


@dataclass(frozen=True, slots=True)
class Node:
    """One node of the tree. Texts are empty where Argo has not written them.

    `name` is the path from the workflow (`wine-1.train(0)`), `template` the template it carries out, `lock` what it waits
    for, `results` its output parameters that have a value, by their global names, `log` Argo's entry of the archived log.
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
        """Whether it does work of its own."""
        return self.type in POD_TYPES

    @property
    def has_run(self) -> bool:
        """Whether its pod has begun."""
        if self.phase in FAILED:
            return self.exit_code is not None or bool(self.host)
        return self.phase in ("Running", "Succeeded")


@dataclass(frozen=True, slots=True)
class Nodes:
    """The nodes in the order of their beginning, and where they are when they are not in the object.

    `offloaded`: Argo keeps them in its database, and its server shows them. `unreadable`: they are compressed in a way that
    cannot be read, or are too many.
    """

    found: tuple[Node, ...] = ()
    missing: Literal["", "offloaded", "unreadable"] = ""


def pod_name(metadata: Mapping[str, Any], node: Node) -> str:
    """As Argo's GeneratePodName makes it. The number at the end of a node's id is that of the pod's name."""
    workflow = text(metadata.get("name"))
    if look(metadata, "annotations", POD_NAME_FORMAT) == "v1":
        return node.id
    if node.name == workflow:
        return workflow
    prefix = f"{workflow}-{node.template}" if node.template else workflow
    return f"{prefix[:LONGEST_POD_NAME_BEFORE_ITS_NUMBER]}-{node.id.rpartition('-')[2]}"


def read_nodes(status: object) -> Nodes:
    """All nodes of a Workflow's status that are mappings. Never raises."""
    raw = look(status, "nodes")
    if isinstance(raw, Mapping) and raw:
        return _nodes(raw)
    if text(look(status, "offloadNodeStatusVersion")):
        return Nodes(missing="offloaded")
    compressed = look(status, "compressedNodes")
    if isinstance(compressed, str) and compressed:
        unpacked = unpack(compressed)
        return Nodes(missing="unreadable") if unpacked is None else _nodes(unpacked)
    return Nodes()


def results(parameters: object) -> dict[str, str]:
    """Output parameters by their global names, else their names. One that is listed without a value counts as nothing."""
    named = ((mapping(each).get("globalName") or mapping(each).get("name"), each) for each in sequence(parameters))
    values = {text(name): text(mapping(each).get("value")) for name, each in named if isinstance(name, str)}
    return {name: value for name, value in values.items() if value}


def _nodes(raw: Mapping[Any, Any]) -> Nodes:
    if len(raw) > MOST_NODES:
        return Nodes(missing="unreadable")
    found = [_node(text(key), value) for key, value in raw.items() if isinstance(value, Mapping)]
    return Nodes(tuple(sorted(found, key=lambda node: (node.started or "~", node.name))))


def _node(key: str, raw: Mapping[str, Any]) -> Node:
    outputs = mapping(raw.get("outputs"))
    logs = [each for each in sequence(outputs.get("artifacts")) if mapping(each).get("name") == "main-logs"]
    return Node(
        id=text(raw.get("id")) or key,
        name=text(raw.get("name")) or text(raw.get("displayName")) or key,
        type=text(raw.get("type")),
        phase=text(raw.get("phase")),
        message=text(raw.get("message")),
        template=text(raw.get("templateName")) or text(look(raw, "templateRef", "template")),
        started=text(raw.get("startedAt")),
        finished=text(raw.get("finishedAt")),
        host=text(raw.get("hostNodeName")),
        lock=text(look(raw, "synchronizationStatus", "waiting")),
        exit_code=whole(outputs.get("exitCode")),
        progress=_progress(text(raw.get("progress"))),
        results=results(outputs.get("parameters")),
        log=mapping(logs[-1]) if logs else None,
    )


def _progress(written: str) -> float | None:
    """`N/M` as a number between 0 and 1."""
    done, _, all_of_it = written.partition("/")
    part, total = whole(done), whole(all_of_it)
    return part / total if part is not None and total and 0 <= part <= total else None
