"""ODAHU's custom resources, as `kubectl get … -o yaml` prints them, converted to manifests.

Source: odahu-flow 1.0 to 1.6, packages/operator/api/v1alpha1. The name of an object is the ID of the manifest.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import replace
from typing import Any

from odahu_argo.document import Document
from odahu_argo.yaml_values import Path

API_GROUP = "odahuflow.odahu.org/"


def manifests_in(document: Document, kinds: Collection[str]) -> Iterator[Document]:
    """Yield the documents in a file: itself, or the items of a list of manifests or Kubernetes objects.

    Objects of one of `kinds` with a name in `metadata` become manifests with this ID. Their other metadata and their status
    are dropped.
    """
    for item in document.items():
        for entry in _list_items(item):
            yield _to_manifest(entry) if _is_object(entry.value, kinds) else entry


def _list_items(document: Document) -> list[Document]:
    """Return the items of a Kubernetes list, such as `kind: List`, or the document itself."""
    value = document.value
    if not isinstance(value, dict) or "apiVersion" not in value or not str(value.get("kind")).endswith("List"):
        return [document]
    items = value.get("items")
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        return [document]
    return replace(document, value=items, lines=_lines_below(document, ("items",))).items() if items else []


def _is_object(value: Any, kinds: Collection[str]) -> bool:
    metadata = value.get("metadata") if isinstance(value, dict) else None
    return (
        isinstance(metadata, dict)
        and value.get("kind") in kinds
        and isinstance(metadata.get("name"), str)
        and "id" not in value
    )


def _to_manifest(document: Document) -> Document:
    value = document.value
    manifest = {"kind": value["kind"], "id": value["metadata"]["name"]}
    manifest |= {
        name: field for name, field in value.items() if name not in ("apiVersion", "kind", "metadata", "status")
    }
    name_line = document.location(("metadata", "name")).line
    lines = dict(document.lines)
    if name_line is not None:
        lines[("id",)] = name_line
    return replace(document, value=manifest, lines=lines)


def _lines_below(document: Document, parent: Path) -> dict[Path, int]:
    """Return the lines of the fields below a path, relative to it."""
    size = len(parent)
    return {path[size:]: line for path, line in document.lines.items() if path[:size] == parent}
