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


LONGEST_FLOW = 72
"""Characters of a list or mapping that stands on one line."""


class _ReviewDumper(_Dumper):
    """Texts of several lines as blocks; lists and mappings of a few plain values on one line."""

    yaml_representers = _Dumper.yaml_representers.copy()

    def represent_sequence(self, tag: str, sequence: Any, flow_style: bool | None = None) -> yaml.SequenceNode:
        node: yaml.SequenceNode = super().represent_sequence(tag, sequence, flow_style)
        node.flow_style = _fits_a_line(node.value)
        return node

    def represent_mapping(self, tag: str, mapping: Any, flow_style: bool | None = None) -> yaml.MappingNode:
        node: yaml.MappingNode = super().represent_mapping(tag, mapping, flow_style)
        node.flow_style = _fits_a_line([part for pair in node.value for part in pair])
        return node

    def represent_text(self, text: str) -> yaml.ScalarNode:
        node: yaml.ScalarNode = self.represent_scalar("tag:yaml.org,2002:str", text, "|" if "\n" in text else None)
        return node


_ReviewDumper.add_representer(str, _ReviewDumper.represent_text)


def _fits_a_line(nodes: list[yaml.Node]) -> bool:
    are_plain = all(isinstance(node, yaml.ScalarNode) and node.style is None for node in nodes)
    return are_plain and sum(len(node.value) + 2 for node in nodes) <= LONGEST_FLOW


def to_review_yaml(objects: Iterable[Object]) -> str:
    """The same objects as `to_yaml` writes, compact, for people who compare two versions."""
    return yaml.dump_all(objects, Dumper=_ReviewDumper, sort_keys=False, allow_unicode=True, width=2**31 - 1)


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
