"""YAML and JSON text to plain values, with the line of every field.

A scalar stays the text that the user wrote: `3.0` is "3.0", `1.10` is "1.10", `yes` is "yes"; only an empty value or `null`
is None. What type a field has is for its model to say.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import yaml

from odahu_argo.errors import Problem, UserError, Where
from odahu_argo.yaml_mistakes import explain
from odahu_argo.yaml_values import Path, documents

_SURROGATES = re.compile(r"(?<!\\)((?:\\\\)*)((?:\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2})+)")
_UNQUOTED_TEMPLATE = re.compile(r"(?P<key>\s*artifactNameTemplate:\s+)(?P<value>\{\{.*?)(?P<rest>\s+#.*|\s*)")


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
        found = [Document(each.value, file, each.lines) for each in documents(text, file)]
    except yaml.MarkedYAMLError as error:
        mistake = explain(error, text)
        raise UserError(Problem(mistake.message, Where(file, mistake.line), mistake.hint)) from error
    except yaml.YAMLError as error:
        raise UserError(Problem(f"not valid YAML: {error}", Where(file))) from error
    return [each for each in found if each.value is not None]


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
