"""Serialization of Kubernetes objects to YAML and JSON. Equal objects give equal bytes."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable
from typing import Any

import yaml

Object = dict[str, Any]

MAX_FLOW_LENGTH = 72
"""Maximum length, in characters, of a list or mapping on one line."""
_UNLIMITED_WIDTH = 2**31 - 1


def to_yaml(objects: Iterable[Object]) -> str:
    """Return one YAML document for each object. Keys keep their order; long lines are not wrapped.

    Multi-line strings are block scalars. Lists and mappings of a few short scalars are on one line. Values that occur twice
    are written twice, without anchors.

    Raises:
        yaml.representer.RepresenterError: a value is not a JSON type.
    """
    return str(yaml.dump_all(objects, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=_UNLIMITED_WIDTH))


def to_json(objects: Iterable[Object]) -> str:
    """Return the object, or a Kubernetes List of several objects, as JSON indented by two spaces."""
    items = list(objects)
    value = items[0] if len(items) == 1 else {"apiVersion": "v1", "kind": "List", "items": items}
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


def quote_yaml(text: str) -> str:
    """Return the text as a double-quoted YAML scalar on one line."""
    node = yaml.ScalarNode("tag:yaml.org,2002:str", text, style='"')
    return str(yaml.serialize(node, Dumper=_Dumper, width=_UNLIMITED_WIDTH)).rstrip("\n")


def escape_json(text: str) -> str:
    """Return JSON text equal in value but without `{{` and `$`, so that neither Argo nor a shell expands it.

    Both occur only inside strings of JSON text, so replacing them by Unicode escapes keeps its structure.
    """
    return text.replace("{{", r"\u007b\u007b").replace("$", r"\u0024")


def _represent_mapping(dumper: yaml.SafeDumper, value: dict[Any, Any]) -> yaml.Node:
    is_flow = _fits_on_line([*value.values(), *value])
    return dumper.represent_mapping("tag:yaml.org,2002:map", value, flow_style=is_flow)


def _represent_sequence(dumper: yaml.SafeDumper, value: Collection[Any]) -> yaml.Node:
    return dumper.represent_sequence("tag:yaml.org,2002:seq", value, flow_style=_fits_on_line(value))


def _represent_text(dumper: yaml.SafeDumper, value: str) -> yaml.Node:
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style="|" if "\n" in value else None)


def _fits_on_line(values: Collection[Any]) -> bool:
    """Whether all values are scalars without line breaks and short enough together."""
    length = 0
    for value in values:
        if isinstance(value, dict | list | tuple):
            return False
        text = value if isinstance(value, str) else str(value)
        length += len(text) + 2
        if length > MAX_FLOW_LENGTH or "\n" in text:
            return False
    return True


class _Dumper(getattr(yaml, "CSafeDumper", yaml.SafeDumper)):  # type: ignore[misc]
    """YAML dumper with its own tables: other packages, such as hera, modify those of PyYAML for the whole process."""

    yaml_representers = {
        dict: _represent_mapping,
        list: _represent_sequence,
        tuple: _represent_sequence,
        str: _represent_text,
        int: yaml.SafeDumper.represent_int,
        bool: yaml.SafeDumper.represent_bool,
        type(None): yaml.SafeDumper.represent_none,
    }
    yaml_implicit_resolvers = yaml.resolver.Resolver.yaml_implicit_resolvers.copy()

    def represent_data(self, data: Any) -> yaml.Node:
        """Return the node of a value. Repeated values are not searched for, because no aliases are written."""
        representer: Any = self.yaml_representers.get(type(data), yaml.SafeDumper.represent_undefined)
        node: yaml.Node = representer(self, data)
        return node
