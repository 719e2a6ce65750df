"""libyaml's events to plain values, without recursion and bounded, so that neither deep nesting nor aliases of aliases (a
"YAML bomb") can exhaust memory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

from odahu_argo.errors import Problem, UserError, Where

Path = tuple[str | int, ...]

MOST_VALUES = 100_000
MOST_TEXT = 4 * 1024 * 1024
"""Characters of all values together, aliases counted."""
MOST_DOCUMENTS = 10_000
DEEPEST_NESTING = 64
_PLAIN_TAGS = {None, "!", *(f"tag:yaml.org,2002:{name}" for name in ("str", "int", "float", "bool", "map", "seq"))}
_NULLS = {"", "~", "null", "Null", "NULL"}
_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True, slots=True)
class Values:
    """The `value` of one document (dict, list, str or None) and the line, from 1, of each field by its path."""

    value: Any
    lines: Mapping[Path, int]


@dataclass(frozen=True, slots=True)
class _Size:
    """How many values there are, themselves included, and how many characters they have together."""

    values: int
    characters: int


_EMPTY = _Size(1, 0)


@dataclass(slots=True)
class _Open:
    """A mapping or list whose end has not been read yet."""

    value: dict[str, Any] | list[Any]
    path: Path
    anchor: str | None
    size: _Size = _EMPTY
    key: str | None = None
    merges: list[dict[str, Any]] = field(default_factory=list)


def documents(text: str, file: str) -> Iterator[Values]:
    """What each document of a file holds, one after the other.

    Raises:
        UserError: a key that stands twice or is not text, a tag that is not YAML's own, an alias of nothing, or more nesting,
            values, text or documents than allowed, aliases counted.
        yaml.YAMLError: the text is no YAML.
    """
    builder, count = _Builder(file), 0
    for event in yaml.parse(text, Loader=_Loader):
        if isinstance(event, yaml.DocumentStartEvent):
            builder, count = _Builder(file), count + 1
            if count > MOST_DOCUMENTS:
                raise builder.refusal(f"more than {MOST_DOCUMENTS} documents", _line(event))
        elif isinstance(event, yaml.DocumentEndEvent):
            yield Values(builder.root, builder.lines)
        elif isinstance(event, yaml.NodeEvent):
            builder.node(event)
        elif isinstance(event, yaml.CollectionEndEvent):
            builder.close()


def _line(event: yaml.Event) -> int:
    return event.start_mark.line + 1 if event.start_mark else 1


class _Builder:
    """Puts the events of one document together."""

    def __init__(self, file: str):
        self.file = file
        self.root: Any = None
        self.lines: dict[Path, int] = {}
        self.stack: list[_Open] = []
        self.anchors: dict[str, tuple[Any, _Size]] = {}

    def node(self, event: yaml.NodeEvent) -> None:
        line = _line(event)
        if isinstance(event, yaml.AliasEvent):
            if event.anchor not in self.anchors:
                raise self.refusal("a value that begins with * is an alias, and this one has no anchor; quote it", line)
            value, size = self.anchors[event.anchor]
            self.put(value, size, line)
        elif isinstance(event, yaml.ScalarEvent):
            self.require_plain_tag(event.tag, line)
            value = None if not event.style and not event.tag and event.value in _NULLS else event.value
            size = _Size(1, len(event.value))
            if event.anchor:
                self.anchors[event.anchor] = (value, size)
            self.put(value, size, line, scalar=event)
        else:
            self.require_plain_tag(event.tag, line)  # type: ignore[attr-defined]  # both have one
            if len(self.stack) >= DEEPEST_NESTING:
                raise self.refusal(f"nested deeper than {DEEPEST_NESTING} levels", line)
            collection: Any = {} if isinstance(event, yaml.MappingStartEvent) else []
            path = self.place(line)
            self.stack.append(_Open(collection, path, event.anchor))

    def require_plain_tag(self, tag: str | None, line: int) -> None:
        if tag not in _PLAIN_TAGS:
            raise self.refusal(f"the tag {tag} is not understood; write the value itself", line)

    def place(self, line: int) -> Path:
        """The path of the value that comes next, noted with its line."""
        if not self.stack:
            path: Path = ()
        elif isinstance(parent := self.stack[-1].value, list):
            path = (*self.stack[-1].path, len(parent))
        elif self.stack[-1].key is None:
            raise self.refusal(
                "a key must be text, not a list or a mapping", line, "a value that begins with { needs quotes"
            )
        else:
            path = (*self.stack[-1].path, self.stack[-1].key)
        self.lines.setdefault(path, line)
        return path

    def put(self, value: Any, size: _Size, line: int, scalar: yaml.ScalarEvent | None = None) -> None:
        if not self.stack:
            self.place(line)
            self.root = value
            return
        parent = self.stack[-1]
        if isinstance(parent.value, dict) and parent.key is None:
            self.open_key(parent, scalar, line)
            return
        self.place(line)
        parent.size = _Size(parent.size.values + size.values, parent.size.characters + size.characters)
        for found, most, what in (
            (parent.size.values, MOST_VALUES, "values"),
            (parent.size.characters, MOST_TEXT, "characters of text"),
        ):
            if found > most:
                raise self.refusal(
                    f"holds more than {most} {what}, each alias (*name) counted as what it repeats", line
                )
        if isinstance(parent.value, list):
            parent.value.append(value)
        elif parent.key == "<<":
            parent.merges += self.mappings(value, line)
            parent.key = None
        else:
            parent.value[str(parent.key)] = value
            parent.key = None

    def open_key(self, parent: _Open, scalar: yaml.ScalarEvent | None, line: int) -> None:
        if scalar is None:
            raise self.refusal("a key must be text, not an alias", line)
        if scalar.value in parent.value:
            raise self.refusal(f"the key {scalar.value!r} stands twice", line)
        parent.key = scalar.value
        self.lines[(*parent.path, scalar.value)] = line

    def close(self) -> None:
        done = self.stack.pop()
        if isinstance(done.value, dict):
            for merged in done.merges:
                for key, value in merged.items():
                    done.value.setdefault(key, value)
        if done.anchor:
            self.anchors[done.anchor] = (done.value, done.size)
        self.put(done.value, done.size, self.lines.get(done.path, 1))

    def mappings(self, value: Any, line: int) -> list[dict[str, Any]]:
        merged = value if isinstance(value, list) else [value]
        if not all(isinstance(mapping, dict) for mapping in merged):
            raise self.refusal("`<<` takes a mapping or a list of mappings", line)
        return merged

    def refusal(self, message: str, line: int, hint: str | None = None) -> UserError:
        return UserError(Problem(message, Where(self.file, line), hint))
