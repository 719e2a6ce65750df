"""Objects to text: the same object, the same bytes.

YAML is written as events of libyaml's emitter, which decides on quotes and escapes. PyYAML's representers cost three times as
much, and other packages (hera among them) change them for the whole process.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator
from functools import lru_cache
from typing import Any

import yaml
from yaml import events


def inert_json(text: str) -> str:
    """The same JSON value as `text`, without `{{` and without `$`.

    Neither stands outside of a string in JSON as `json.dumps` writes it, so replacing them everywhere changes no structure.
    """
    return text.replace("{{", r"\u007b\u007b").replace("$", r"\u0024")


Object = dict[str, Any]

LONGEST_FLOW = 72
"""Characters of a list or mapping that stands on one line."""
_WIDTH = 2**31 - 1
_EMITTER = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
_MAPPING, _SEQUENCE = "tag:yaml.org,2002:map", "tag:yaml.org,2002:seq"
_MAPPING_END, _SEQUENCE_END = events.MappingEndEvent(), events.SequenceEndEvent()
_PLAIN: dict[type, str] = {str: "str", int: "int", bool: "bool", type(None): "null"}


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
        written: list[yaml.Event] = []
        _write(each, written)
        yield from written
        yield events.DocumentEndEvent(explicit=False)
    yield events.StreamEndEvent()


def _write(value: Any, written: list[yaml.Event]) -> None:
    """Add the events of one value. A value that occurs twice is written twice, without an anchor.

    KeyError where it is none of YAML's.
    """
    if isinstance(value, dict):
        is_flow = _fits_a_line([*value.values(), *value])
        written.append(events.MappingStartEvent(None, _MAPPING, True, flow_style=is_flow))
        for key, each in value.items():
            written.append(_scalar(_PLAIN[type(key)], key))
            if kind := _PLAIN.get(type(each)):
                written.append(_scalar(kind, each))
            else:
                _write(each, written)
        written.append(_MAPPING_END)
    elif isinstance(value, (list, tuple)):
        written.append(events.SequenceStartEvent(None, _SEQUENCE, True, flow_style=_fits_a_line(value)))
        for each in value:
            _write(each, written)
        written.append(_SEQUENCE_END)
    else:
        written.append(_scalar(_PLAIN[type(value)], value))


def _fits_a_line(values: Collection[Any]) -> bool:
    """Whether all are plain, and short enough together."""
    length = 0
    for each in values:
        if type(each) not in _PLAIN:
            return False
        text = each if isinstance(each, str) else _text(each)
        length += len(text) + 2
        if length > LONGEST_FLOW or "\n" in text:
            return False
    return True


@lru_cache(maxsize=4096)
def _scalar(kind: str, value: str | int | None) -> yaml.ScalarEvent:
    """The event of a scalar; `kind` tells 1 from True, which are equal keys of the cache."""
    text, tag = _text(value), f"tag:yaml.org,2002:{kind}"
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
