"""Parsing of YAML and JSON text to plain values with the line of every field.

Scalars keep their text: `3.0` is "3.0", `1.10` is "1.10", `yes` is "yes"; only an empty value or `null` is None. Models
define the types of fields.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import yaml

from odahu_argo.errors import Location, Problem, UserError
from odahu_argo.yaml_values import Path, parse_values

_SURROGATE_PAIRS = re.compile(r"(?<!\\)((?:\\\\)*)((?:\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2})+)")
_UNQUOTED_TEMPLATE = re.compile(r"(?P<key>\s*artifactNameTemplate:\s+)(?P<value>\{\{.*?)(?P<rest>\s+#.*|\s*)")
_TWO_FIELDS = re.compile(r"\s*(?:- )?(?P<key>[^\s:#'\"]+): +[^'\"].*:(?: .*)?")
_MISSING_SPACE = re.compile(r"\s*(?:- )?(?P<key>[\w.-]+):[^\s/:][^:]*")


@dataclass(frozen=True, slots=True)
class Document:
    """One document of a file: its `value` (dict, list, str or None) and the line, from 1, of each field by path.

    `warnings` describe invalid YAML that was accepted nevertheless.
    """

    value: Any
    file: str
    lines: Mapping[Path, int]
    warnings: tuple[Problem, ...] = ()

    def items(self) -> list[Document]:
        """Return the items of a list of mappings, as in exports of ODAHU's API, or the document itself."""
        if not (isinstance(self.value, list) and self.value and all(isinstance(item, dict) for item in self.value)):
            return [self]
        return [
            replace(
                self, value=item, lines={path[1:]: line for path, line in self.lines.items() if path[:1] == (index,)}
            )
            for index, item in enumerate(self.value)
        ]

    def location(self, path: Path = ()) -> Location:
        """Return the location of a field. A missing field has the line of its nearest parent."""
        parent = next(path[:end] for end in range(len(path), -1, -1) if path[:end] in self.lines or end == 0)
        return Location(self.file, self.lines.get(parent), field_name(path) or None)


def field_name(path: Path) -> str:
    """Return a path in readable form: `spec.data[0].connName`."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).lstrip(".")


def parse(text: str, file: str) -> list[Document]:
    """Parse the non-empty documents of a file.

    ODAHU's documentation omits the quotes that YAML requires for artifactNameTemplate. If a file is invalid, such lines are
    parsed as if quoted, with a warning.

    Raises:
        UserError: a syntax error, a duplicate key, a key that is not text, a custom tag, or a limit on nesting, values, text
            or documents is exceeded, counting aliases.
    """
    text = _decode_surrogate_pairs(text)
    quoted_text, warnings = _quote_templates(text, file)
    try:
        return _parse(text, file)
    except UserError:
        if not warnings:
            raise
    documents = _parse(quoted_text, file)
    return [replace(document, warnings=_warnings_of(document, documents, warnings)) for document in documents]


def _parse(text: str, file: str) -> list[Document]:
    try:
        documents = [Document(values.value, file, values.lines) for values in parse_values(text, file)]
    except yaml.MarkedYAMLError as error:
        raise UserError(_syntax_problem(error, text, file)) from error
    except yaml.YAMLError as error:
        raise UserError(Problem(f"invalid YAML: {error}", Location(file))) from error
    return [document for document in documents if document.value is not None]


def _decode_surrogate_pairs(text: str) -> str:
    """Decode the surrogate pairs of JSON (RFC 8259, section 7), which YAML does not support."""
    if text.lstrip()[:1] not in ("{", "["):
        return text
    return _SURROGATE_PAIRS.sub(lambda match: match[1] + json.loads(f'"{match[2]}"'), text)


def _quote_templates(text: str, file: str) -> tuple[str, list[Problem]]:
    """Quote each artifactNameTemplate that starts with `{{`, and return a warning for each."""
    lines, warnings = text.splitlines(keepends=True), []
    for index, line in enumerate(lines):
        content = line.rstrip("\r\n")
        if match := _UNQUOTED_TEMPLATE.fullmatch(content):
            value = "'" + match["value"].replace("'", "''") + "'"
            lines[index] = match["key"] + value + match["rest"] + line[len(content) :]
            message = f"a value that starts with {{{{ must be quoted; it was parsed as {match['key'].strip()} {value}"
            warnings.append(Problem(message, Location(file, index + 1), "quote the value"))
    return "".join(lines), warnings


def _warnings_of(document: Document, documents: list[Document], warnings: list[Problem]) -> tuple[Problem, ...]:
    """Return the warnings between the first line of this document and that of the next one."""
    start = document.lines[()]
    end = min((other.lines[()] for other in documents if other.lines[()] > start), default=None)
    return tuple(
        warning
        for warning in warnings
        if warning.location.line and start <= warning.location.line and (end is None or warning.location.line < end)
    )


def _syntax_problem(error: yaml.MarkedYAMLError, text: str, file: str) -> Problem:
    """Describe an error of libyaml, with a hint from the line of the error and the line before it."""
    mark = error.problem_mark or error.context_mark
    context_line = error.context_mark.line + 1 if error.context_mark else None
    context = f" {error.context} that starts on line {context_line}" if context_line else ""
    message, lines = f"invalid YAML: {error.problem}{context}", text.splitlines()
    if mark is None or not lines:
        return Problem(message, Location(file, 1 if mark else None))
    number = min(mark.line + 1, len(lines))
    line, previous = lines[number - 1], _previous_line(lines, number)
    if "\t" in line[: len(line) - len(line.lstrip())]:
        return Problem(message, Location(file, number), "indent with spaces; YAML does not allow tabs")
    return Problem(message, Location(file, number), _syntax_hint(error, line, previous, context_line))


def _previous_line(lines: list[str], number: int) -> tuple[int, str] | None:
    """Return the number and text of the nearest line above that is neither empty nor a comment."""
    above = ((index, lines[index - 1]) for index in range(number - 1, 0, -1))
    return next(((index, line) for index, line in above if line.strip() and not line.lstrip().startswith("#")), None)


def _syntax_hint(
    error: yaml.MarkedYAMLError, line: str, previous: tuple[int, str] | None, context_line: int | None
) -> str | None:
    problem, context = str(error.problem), str(error.context)
    if problem == "mapping values are not allowed in this context":
        return _unexpected_field_hint(line, previous)
    if problem == "did not find expected key":
        return "start all fields of a mapping in the same column, and quote a value that contains quotes"
    if problem == "found character that cannot start any token":
        return "quote a value that starts with @, ` or %"
    if "quoted scalar" in context:
        return f"close the quote that starts on line {context_line}"
    if "flow" in context:
        return f"close the {{ or [ that starts on line {context_line}, or add a missing comma"
    return None


def _unexpected_field_hint(line: str, previous: tuple[int, str] | None) -> str:
    """Return a hint for a field in a position where YAML does not allow one."""
    if match := _TWO_FIELDS.fullmatch(line):
        return f"quote a value that contains `:`: {match['key']}: '…'"
    if previous and (match := _MISSING_SPACE.fullmatch(previous[1])):
        return f"add a space after `{match['key']}:` on line {previous[0]}"
    if previous and ":" in previous[1]:
        key = previous[1].strip().removeprefix("- ").partition(":")[0]
        return f"`{key}` on line {previous[0]} already has a value; start a sibling field in the same column"
    return "quote a value that contains `: `; start a sibling field in the column of the previous fields"
