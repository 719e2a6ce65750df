"""What libyaml's words for a syntax error mean to who wrote the line. No value is repeated: it may be a secret."""

from __future__ import annotations

import re
from dataclasses import dataclass

import yaml

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
