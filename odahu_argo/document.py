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
from odahu_argo.yaml_values import Path, documents

_TWO_FIELDS = re.compile(r"\s*(?:- )?(?P<key>[^\s:#'\"]+): +[^'\"].*:(?: .*)?")
_NO_SPACE = re.compile(r"\s*(?:- )?(?P<key>[\w.-]+):[^\s/:][^:]*")


@dataclass(frozen=True, slots=True)
class Mistake:
    """What is wrong on which line, counted from 1, and how to mend it, where the text shows it."""

    message: str
    line: int | None
    hint: str | None


def explain(error: yaml.MarkedYAMLError, text: str) -> Mistake:
    """The mistake behind an error of libyaml, by the line where it was noticed and the one before."""
    mark = error.problem_mark or error.context_mark
    began = error.context_mark.line + 1 if error.context_mark else None
    since = f" {error.context} that begins on line {began}" if error.context_mark else ""
    message, lines = f"not valid YAML: {error.problem}{since}", text.splitlines()
    line = min(mark.line + 1, max(len(lines), 1)) if mark else None
    if line is None or not lines:
        return Mistake(message, line, None)
    here, before = lines[line - 1], _before(lines, line)
    indentation = here[: len(here) - len(here.lstrip())]
    if "\t" in indentation:
        return Mistake(message, line, "indent by spaces; YAML takes no tabs")
    return Mistake(message, line, _hint(str(error.problem), str(error.context), here, before, began))


def _hint(problem: str, context: str, here: str, before: tuple[int, str] | None, began: int | None) -> str | None:
    if problem == "mapping values are not allowed in this context":
        return _about_a_field(here, before)
    if problem == "did not find expected key":
        return "fields of one mapping begin in the same column, and a value with quotes in it is quoted as a whole"
    if problem == "found character that cannot start any token":
        return "a value that begins with @, ` or % needs quotes"
    if "quoted scalar" in context:
        return f"the quote that opens on line {began} is not closed"
    if "flow" in context:
        return f"the {{ or [ that opens on line {began} is not closed, or a comma is missing"
    return None


def _about_a_field(here: str, before: tuple[int, str] | None) -> str:
    """Why no field can begin where one does."""
    if found := _TWO_FIELDS.fullmatch(here):
        return f"a value with `:` in it needs quotes: {found['key']}: '…'"
    if before and (found := _NO_SPACE.fullmatch(before[1])):
        return f"a space is missing after `{found['key']}:` on line {before[0]}"
    if before and ":" in before[1]:
        key = before[1].strip().removeprefix("- ").partition(":")[0]
        return f"`{key}` on line {before[0]} has a value already; a field beside it begins in the same column"
    return "a value with `: ` in it needs quotes; a field of its own begins in the column of the fields before it"


def _before(lines: list[str], line: int) -> tuple[int, str] | None:
    """The nearest line above that is neither empty nor a comment, with its number."""
    above = ((number, lines[number - 1]) for number in range(line - 1, 0, -1))
    return next((each for each in above if each[1].strip() and not each[1].lstrip().startswith("#")), None)


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
