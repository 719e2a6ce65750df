"""Objects to text: the same object, the same bytes.

YAML is written as events of libyaml's emitter, which decides on quotes and escapes. PyYAML's representers cost three times as
much, and other packages (hera among them) change them for the whole process.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from typing import Any

import yaml
from yaml import events

Object = dict[str, Any]

LONGEST_FLOW = 72
"""Characters of a list or mapping that stands on one line."""
_WIDTH = 2**31 - 1
_EMITTER = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
_MAPPING, _SEQUENCE = "tag:yaml.org,2002:map", "tag:yaml.org,2002:seq"
_TAGS = {"str": "str", "int": "int", "bool": "bool", "NoneType": "null"}


class _Resolver(yaml.resolver.Resolver):
    """What a plain word means to readers of YAML, whatever other packages add to PyYAML's own table."""

    yaml_implicit_resolvers = yaml.resolver.Resolver.yaml_implicit_resolvers.copy()


_RESOLVER = _Resolver()


def to_yaml(objects: Iterable[Object]) -> str:
    """One document for each object, keys in their own order, long lines unbroken.

    Texts of several lines stand as blocks, lists and mappings of a few plain values on one line.
    """
    return str(yaml.emit(_stream(objects), Dumper=_EMITTER, allow_unicode=True, width=_WIDTH))


def quoted(text: str) -> str:
    """A text as a value of YAML in double quotes, on one line."""
    start, end = events.DocumentStartEvent(explicit=False), events.DocumentEndEvent(explicit=False)
    value = events.ScalarEvent(None, None, (False, True), text, style='"')
    document = [events.StreamStartEvent(), start, value, end, events.StreamEndEvent()]
    return str(yaml.emit(document, Dumper=_EMITTER, allow_unicode=False, width=_WIDTH)).rstrip("\n")


def to_json(objects: Iterable[Object]) -> str:
    """The object, or a Kubernetes List where there are several, indented by two spaces."""
    listed = list(objects)
    value = listed[0] if len(listed) == 1 else {"apiVersion": "v1", "kind": "List", "items": listed}
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


def _stream(objects: Iterable[Object]) -> Iterator[yaml.Event]:
    yield events.StreamStartEvent()
    for each in objects:
        yield events.DocumentStartEvent(explicit=False)
        yield from _value(each)
        yield events.DocumentEndEvent(explicit=False)
    yield events.StreamEndEvent()


def _value(value: Any) -> Iterator[yaml.Event]:
    """Events of one value. A value that occurs twice is written twice, without an anchor."""
    if isinstance(value, dict):
        is_flow = _fits_a_line([part for pair in value.items() for part in pair])
        yield events.MappingStartEvent(None, _MAPPING, True, flow_style=is_flow)
        for key, each in value.items():
            yield _scalar(type(key).__name__, key)
            yield from _value(each)
        yield events.MappingEndEvent()
    elif isinstance(value, (list, tuple)):
        is_flow = _fits_a_line(value)
        yield events.SequenceStartEvent(None, _SEQUENCE, True, flow_style=is_flow)
        for each in value:
            yield from _value(each)
        yield events.SequenceEndEvent()
    else:
        yield _scalar(type(value).__name__, value)


def _fits_a_line(values: Sequence[Any]) -> bool:
    are_plain = all(type(each).__name__ in _TAGS and "\n" not in _text(each) for each in values)
    return are_plain and sum(len(_text(each)) + 2 for each in values) <= LONGEST_FLOW


@lru_cache(maxsize=4096)
def _scalar(kind: str, value: str | int | None) -> yaml.ScalarEvent:
    """The event of a scalar; `kind` tells 1 from True, which are equal keys of the cache. KeyError for any other type."""
    text, tag = _text(value), f"tag:yaml.org,2002:{_TAGS[kind]}"
    implicit = (_meant(text, (True, False)) == tag, _meant(text, (False, True)) == tag)
    is_block = kind == "str" and "\n" in text
    return yaml.ScalarEvent(None, tag, implicit, text, style="|" if is_block else None)


def _meant(text: str, form: tuple[bool, bool]) -> str:
    """The tag that readers give to a text without one: written plainly, (True, False), or in quotes, (False, True)."""
    return str(_RESOLVER.resolve(yaml.ScalarNode, text, form))  # type: ignore[no-untyped-call]


def _text(value: str | int | None) -> str:
    """A scalar as YAML writes it."""
    if isinstance(value, str):
        return value
    return "null" if value is None else str(value).lower()
