"""Workflows to text: the same object, the same bytes.

A Dumper of our own, because other packages (hera among them) change PyYAML's shared ones when they are imported.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import yaml

Object = dict[str, Any]


class _Dumper(getattr(yaml, "CSafeDumper", yaml.SafeDumper)):  # type: ignore[misc]
    """PyYAML's safe dumper with its own representers, without anchors for values that occur twice."""

    yaml_representers = yaml.representer.SafeRepresenter.yaml_representers.copy()

    def ignore_aliases(self, data: Any) -> bool:
        return True


def to_yaml(objects: Iterable[Object]) -> str:
    """One document for each object, keys in their own order, long lines unbroken."""
    return yaml.dump_all(
        objects, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=2**31 - 1, default_flow_style=False
    )


def quoted(text: str) -> str:
    """A text as a value of YAML in double quotes, on one line."""
    dumped = yaml.dump(text, Dumper=_Dumper, default_style='"', allow_unicode=False, width=2**31 - 1)
    return str(dumped).rstrip("\n")


def to_json(objects: Iterable[Object]) -> str:
    """The object, or a Kubernetes List where there are several, indented by two spaces."""
    listed = list(objects)
    value = listed[0] if len(listed) == 1 else {"apiVersion": "v1", "kind": "List", "items": listed}
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"
