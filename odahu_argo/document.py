"""YAML and JSON text to plain values, with the line of every field.

A scalar stays the text that the user wrote: `3.0` is "3.0", `1.10` is "1.10", `yes` is "yes"; only an empty value or `null`
is None. What type a field has is for its model to say. Built from libyaml's events without recursion, and bounded, so that
neither deep nesting nor aliases of aliases (a "YAML bomb") can exhaust memory.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import yaml

from odahu_argo.errors import Problem, UserError, Where

Path = tuple[str | int, ...]

MOST_VALUES = 100_000
MOST_TEXT = 4 * 1024 * 1024
"""Characters of all values together, aliases counted."""
MOST_DOCUMENTS = 10_000
DEEPEST_NESTING = 64
_SURROGATES = re.compile(r"(?<!\\)((?:\\\\)*)((?:\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2})+)")
_UNQUOTED_TEMPLATE = re.compile(r"(?P<key>\s*artifactNameTemplate:\s+)(?P<value>\{\{.*?)(?P<rest>\s+#.*|\s*)")
_PLAIN_TAGS = {None, "!", *(f"tag:yaml.org,2002:{name}" for name in ("str", "int", "float", "bool", "map", "seq"))}
_NULLS = {"", "~", "null", "Null", "NULL"}
_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True, slots=True)
class Document:
    """One document of a file: its `value` (dict, list, str or None) and the line, from 1, of each field by its path.

    `warnings` tell what is no YAML and was understood all the same.
    """

    value: Any
    file: str
    lines: Mapping[Path, int]
    warnings: tuple[Problem, ...] = ()

    def items(self) -> list[Document]:
        """The documents that a list of them holds, as exports of ODAHU's API do; any other document alone."""
        if not (isinstance(self.value, list) and self.value and all(isinstance(item, dict) for item in self.value)):
            return [self]
        return [
            replace(
                self, value=item, lines={path[1:]: line for path, line in self.lines.items() if path[:1] == (index,)}
            )
            for index, item in enumerate(self.value)
        ]

    def where(self, path: Path = ()) -> Where:
        """The place of a field; for a field that is not there, the line of the nearest one above it."""
        known = next(path[:end] for end in range(len(path), -1, -1) if path[:end] in self.lines or end == 0)
        return Where(self.file, self.lines.get(known), field_name(path) or None)


def field_name(path: Path) -> str:
    """A path as people write it: `spec.data[0].connName`."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).lstrip(".")


def parse(text: str, file: str) -> list[Document]:
    """The documents of a file that are not empty.

    ODAHU's documentation prints artifactNameTemplate without the quotes that YAML needs. Where a file cannot be read as it
    is, such lines are read as if they had them, with a warning.

    Raises:
        UserError: a syntax error, a key that stands twice, a key that is not text, a tag that is not YAML's own, or more
            nesting, values, text or documents than allowed, aliases counted.
    """
    text = _without_surrogates(text)
    quoted, warnings = _quote_templates(text, file)
    try:
        return _parse(text, file)
    except UserError:
        if not warnings:
            raise
    documents = _parse(quoted, file)
    return [replace(found, warnings=_of_document(warnings, found, documents)) for found in documents]


def _parse(text: str, file: str) -> list[Document]:
    try:
        return [found for found in _documents(text, file) if found.value is not None]
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        began = f" {error.context} that begins on line {error.context_mark.line + 1}" if error.context_mark else ""
        place = Where(file, mark.line + 1 if mark else None)
        hint = _yaml_hint(str(error.problem), _indentation(text, place.line))
        raise UserError(Problem(f"not valid YAML: {error.problem}{began}", place, hint)) from error
    except yaml.YAMLError as error:
        raise UserError(Problem(f"not valid YAML: {error}", Where(file))) from error


def _yaml_hint(problem: str, indentation: str) -> str | None:
    if "\t" in indentation:
        return "indent by spaces; YAML takes no tabs"
    if problem == "did not find expected key":
        return "fields of one mapping begin in the same column, and a value with quotes in it is quoted as a whole"
    if problem == "mapping values are not allowed in this context":
        return "a value with `: ` in it needs quotes; a field of its own begins in the column of the fields before it"
    return None


def _indentation(text: str, line: int | None) -> str:
    found = text.splitlines()[line - 1] if line and line <= len(text.splitlines()) else ""
    return found[: len(found) - len(found.lstrip())]


def _quote_templates(text: str, file: str) -> tuple[str, list[Problem]]:
    """The text with each artifactNameTemplate that begins with `{{` put in quotes, and a warning for each."""
    lines, warnings = text.splitlines(keepends=True), []
    for index, line in enumerate(lines):
        if found := _UNQUOTED_TEMPLATE.fullmatch(line.rstrip("\r\n")):
            value = "'" + found["value"].replace("'", "''") + "'"
            lines[index] = found["key"] + value + found["rest"] + line[len(line.rstrip("\r\n")) :]
            message = f"a value that begins with {{{{ needs quotes; read as {found['key'].strip()} {value}"
            warnings.append(Problem(message, Where(file, index + 1), "write it so"))
    return "".join(lines), warnings


def _of_document(warnings: list[Problem], document: Document, documents: list[Document]) -> tuple[Problem, ...]:
    """The warnings whose line lies between the beginning of this document and that of the next."""
    begin = document.lines[()]
    ends = [other.lines[()] for other in documents if other.lines[()] > begin]
    return tuple(w for w in warnings if w.where.line and begin <= w.where.line < min(ends, default=w.where.line + 1))


def _without_surrogates(text: str) -> str:
    """JSON writes a character such as an emoji as two escapes (RFC 8259, section 7), which YAML does not know."""
    if text.lstrip()[:1] not in ("{", "["):
        return text
    return _SURROGATES.sub(lambda found: found[1] + json.loads(f'"{found[2]}"'), text)


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


def _documents(text: str, file: str) -> Iterator[Document]:
    builder, count = _Builder(file), 0
    for event in yaml.parse(text, Loader=_Loader):
        if isinstance(event, yaml.DocumentStartEvent):
            builder, count = _Builder(file), count + 1
            if count > MOST_DOCUMENTS:
                raise builder.refusal(f"more than {MOST_DOCUMENTS} documents", _line(event))
        elif isinstance(event, yaml.DocumentEndEvent):
            yield Document(builder.root, file, builder.lines)
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
