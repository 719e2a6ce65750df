"""Conversion of libyaml's events to plain values. Iterative and bounded, so that neither deep nesting nor nested aliases (a
"YAML bomb") can exhaust memory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

from odahu_argo.errors import Location, Problem, UserError

Path = tuple[str | int, ...]

MAX_VALUES = 100_000
MAX_TEXT_LENGTH = 4 * 1024 * 1024
"""Limit on the characters of all values together, counting aliases."""
MAX_DOCUMENTS = 10_000
MAX_DEPTH = 64
_STANDARD_TAGS = {None, "!", *(f"tag:yaml.org,2002:{name}" for name in ("str", "int", "float", "bool", "map", "seq"))}
_NULLS = {"", "~", "null", "Null", "NULL"}
_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True, slots=True)
class DocumentValues:
    """Value of one document (dict, list, str or None) and the line, from 1, of each field by path."""

    value: Any
    lines: Mapping[Path, int]


@dataclass(frozen=True, slots=True)
class _Size:
    """Number of nested values, including the value itself, and number of their characters."""

    values: int
    characters: int


_EMPTY = _Size(1, 0)


@dataclass(slots=True)
class _OpenCollection:
    """A mapping or list whose end event has not occurred yet."""

    value: dict[str, Any] | list[Any]
    path: Path
    anchor: str | None
    size: _Size = _EMPTY
    key: str | None = None
    merges: list[dict[str, Any]] = field(default_factory=list)


def parse_values(text: str, file: str) -> Iterator[DocumentValues]:
    """Yield the values of each document of a file.

    Raises:
        UserError: a key is duplicate or not text, a tag is not a standard tag, an alias has no anchor, or a limit on nesting,
            values, text or documents is exceeded, counting aliases.
        yaml.YAMLError: the text is not valid YAML.
    """
    builder, count = _Builder(file), 0
    for event in yaml.parse(text, Loader=_Loader):
        if isinstance(event, yaml.DocumentStartEvent):
            builder, count = _Builder(file), count + 1
            if count > MAX_DOCUMENTS:
                raise builder.error(f"more than {MAX_DOCUMENTS} documents", _line(event))
        elif isinstance(event, yaml.DocumentEndEvent):
            yield DocumentValues(builder.root, builder.lines)
        elif isinstance(event, yaml.NodeEvent):
            builder.start(event)
        elif isinstance(event, yaml.CollectionEndEvent):
            builder.end_collection()


def _line(event: yaml.Event) -> int:
    return event.start_mark.line + 1 if event.start_mark else 1


class _Builder:
    """Builds the value of one document from its events."""

    def __init__(self, file: str):
        self.file = file
        self.root: Any = None
        self.lines: dict[Path, int] = {}
        self.stack: list[_OpenCollection] = []
        self.anchors: dict[str, tuple[Any, _Size]] = {}

    def start(self, event: yaml.NodeEvent) -> None:
        """Process a scalar, an alias or the start of a collection."""
        line = _line(event)
        if isinstance(event, yaml.AliasEvent):
            if event.anchor not in self.anchors:
                hint = "quote a value that starts with *"
                # The name is not quoted: it may be an unquoted secret.
                raise self.error("an alias has no anchor", line, hint)
            value, size = self.anchors[event.anchor]
            self._add(value, size, line)
        elif isinstance(event, yaml.ScalarEvent):
            self._require_standard_tag(event.tag, line)
            value = None if not event.style and not event.tag and event.value in _NULLS else event.value
            size = _Size(1, len(event.value))
            if event.anchor:
                self.anchors[event.anchor] = (value, size)
            self._add(value, size, line, scalar=event)
        else:
            self._require_standard_tag(event.tag, line)  # type: ignore[attr-defined]  # both start events have a tag
            if len(self.stack) >= MAX_DEPTH:
                raise self.error(f"nested deeper than {MAX_DEPTH} levels", line)
            collection: Any = {} if isinstance(event, yaml.MappingStartEvent) else []
            self.stack.append(_OpenCollection(collection, self._next_path(line), event.anchor))

    def end_collection(self) -> None:
        """Process the end of a collection."""
        collection = self.stack.pop()
        if isinstance(collection.value, dict):
            for merged in collection.merges:
                for key, value in merged.items():
                    collection.value.setdefault(key, value)
        if collection.anchor:
            self.anchors[collection.anchor] = (collection.value, collection.size)
        self._add(collection.value, collection.size, self.lines.get(collection.path, 1))

    def error(self, message: str, line: int, hint: str | None = None) -> UserError:
        """Return an error at a line of the file."""
        return UserError(Problem(message, Location(self.file, line), hint))

    def _require_standard_tag(self, tag: str | None, line: int) -> None:
        if tag not in _STANDARD_TAGS:
            raise self.error(f"unsupported tag {tag}", line, "remove the tag and write the value itself")

    def _next_path(self, line: int) -> Path:
        """Return the path of the next value and record its line."""
        if not self.stack:
            path: Path = ()
        elif isinstance(parent := self.stack[-1].value, list):
            path = (*self.stack[-1].path, len(parent))
        elif self.stack[-1].key is None:
            message = "a key must be text, not a list or a mapping"
            raise self.error(message, line, "quote a value that starts with {")
        else:
            path = (*self.stack[-1].path, self.stack[-1].key)
        self.lines.setdefault(path, line)
        return path

    def _add(self, value: Any, size: _Size, line: int, scalar: yaml.ScalarEvent | None = None) -> None:
        """Add a value, or start a key, in the innermost open collection."""
        if not self.stack:
            self._next_path(line)
            self.root = value
            return
        parent = self.stack[-1]
        if isinstance(parent.value, dict) and parent.key is None:
            self._start_key(parent, scalar, line)
            return
        self._next_path(line)
        parent.size = _Size(parent.size.values + size.values, parent.size.characters + size.characters)
        if parent.size.values > MAX_VALUES:
            raise self.error(f"more than {MAX_VALUES} values, counting the contents of each alias", line)
        if parent.size.characters > MAX_TEXT_LENGTH:
            raise self.error(f"more than {MAX_TEXT_LENGTH} characters, counting the contents of each alias", line)
        if isinstance(parent.value, list):
            parent.value.append(value)
        elif parent.key == "<<":
            parent.merges += self._merged_mappings(value, line)
            parent.key = None
        else:
            parent.value[str(parent.key)] = value
            parent.key = None

    def _start_key(self, parent: _OpenCollection, scalar: yaml.ScalarEvent | None, line: int) -> None:
        if scalar is None:
            raise self.error("a key must be text, not an alias", line)
        if scalar.value in parent.value:
            raise self.error(f"duplicate key {scalar.value!r}", line, "remove one of them")
        parent.key = scalar.value
        self.lines[(*parent.path, scalar.value)] = line

    def _merged_mappings(self, value: Any, line: int) -> list[dict[str, Any]]:
        mappings = value if isinstance(value, list) else [value]
        if not all(isinstance(mapping, dict) for mapping in mappings):
            raise self.error("the value of `<<` must be a mapping or a list of mappings", line)
        return mappings
