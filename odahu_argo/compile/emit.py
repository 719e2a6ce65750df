"""Serialization of Kubernetes objects to YAML and JSON. Equal objects give equal bytes."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

import yaml

Object = dict[str, Any]

MAX_FLOW_LENGTH = 72
"""Maximum length, in characters, of a list or mapping on one line."""
_UNLIMITED_WIDTH = 2**31 - 1
_TEXT_TAG = "tag:yaml.org,2002:str"
_OTHER_TYPE = re.compile(
    r"[yYnN]|[-+]?(0[bBoOxX][0-9a-fA-F_]+|(\.[0-9]+|[0-9][0-9_]*(\.[0-9_]*)?)([eE][-+]?[0-9]+)?)", re.ASCII
)
"""Unquoted text that is text to PyYAML, but a boolean or a number to kubectl or in YAML 1.2, such as `y`, `08` or `1e3`."""
_Dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
_BLOCK_MAPPING, _FLOW_MAPPING = (yaml.MappingStartEvent(None, None, True, flow_style=flow) for flow in (False, True))
_BLOCK_LIST, _FLOW_LIST = (yaml.SequenceStartEvent(None, None, True, flow_style=flow) for flow in (False, True))
_MAPPING_END, _LIST_END = yaml.MappingEndEvent(), yaml.SequenceEndEvent()


def to_yaml(objects: Iterable[Object]) -> str:
    """Return one YAML document for each object. Keys keep their order; long lines are not wrapped.

    Multi-line strings are block scalars. Short lists and mappings are on one line. Values that occur twice
    are written twice, without anchors.

    Raises:
        TypeError: a value is neither text, an integer, a boolean, None, a list nor a mapping.
    """
    events: list[yaml.Event] = [yaml.StreamStartEvent()]
    for item in objects:
        events.append(yaml.DocumentStartEvent(explicit=False))
        _add_events(item, events)
        events.append(yaml.DocumentEndEvent(explicit=False))
    events.append(yaml.StreamEndEvent())
    return str(yaml.emit(events, Dumper=_Dumper, allow_unicode=True, width=_UNLIMITED_WIDTH))


def to_json(objects: Iterable[Object]) -> str:
    """Return the object, or a Kubernetes List of several objects, as JSON indented by two spaces."""
    items = list(objects)
    value = items[0] if len(items) == 1 else {"apiVersion": "v1", "kind": "List", "items": items}
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


def quote_yaml(text: str) -> str:
    """Return the text as a double-quoted YAML scalar on one line."""
    node = yaml.ScalarNode(_TEXT_TAG, text, style='"')
    return str(yaml.serialize(node, Dumper=_Dumper, width=_UNLIMITED_WIDTH)).rstrip("\n")


def escape_json(text: str) -> str:
    """Return JSON text equal in value but without `{{` and `$`, so that neither Argo nor a shell expands it.

    Both occur only inside strings of JSON text, so replacing them by Unicode escapes keeps its structure.
    """
    return text.replace("{{", r"\u007b\u007b").replace("$", r"\u0024")


def _add_events(value: Any, events: list[yaml.Event]) -> int:
    """Add the events of a value for libyaml's emitter, and return its length on one line.

    This is three times as fast as PyYAML's `dump`.
    """
    start, length = len(events), 0
    if isinstance(value, str):
        events.append(_text_event(value))
        return _UNLIMITED_WIDTH if "\n" in value else len(value)
    if isinstance(value, dict):
        events.append(_BLOCK_MAPPING)
        for key, item in value.items():
            length += _add_events(key, events) + _add_events(item, events) + 4
        if length <= MAX_FLOW_LENGTH:
            events[start] = _FLOW_MAPPING
        events.append(_MAPPING_END)
        return length
    if isinstance(value, list | tuple):
        events.append(_BLOCK_LIST)
        for item in value:
            length += _add_events(item, events) + 2
        if length <= MAX_FLOW_LENGTH:
            events[start] = _FLOW_LIST
        events.append(_LIST_END)
        return length
    if value is None or isinstance(value, bool | int):
        text = "null" if value is None else str(value).lower()
        events.append(yaml.ScalarEvent(None, None, (True, False), text))
        return len(text)
    raise TypeError(f"{value!r} cannot be written")


@lru_cache(1024)
def _text_event(text: str) -> yaml.ScalarEvent:
    """Return the event of a string. It is quoted if an unquoted one would be another type, such as `1` or `yes`."""
    is_text_unquoted = _resolver.resolve(yaml.ScalarNode, text, (True, False)) == _TEXT_TAG  # type: ignore[no-untyped-call]
    is_text_unquoted = is_text_unquoted and not _OTHER_TYPE.fullmatch(text)
    return yaml.ScalarEvent(None, None, (is_text_unquoted, True), text, style="|" if "\n" in text else None)


class _Resolver(yaml.resolver.Resolver):
    """YAML's rules for the type of unquoted text, in a table of its own: other packages modify PyYAML's."""

    yaml_implicit_resolvers = yaml.resolver.Resolver.yaml_implicit_resolvers.copy()


_resolver = _Resolver()
