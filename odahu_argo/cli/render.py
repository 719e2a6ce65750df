"""The only place that writes to the terminal: results to standard output, all else to standard error.

Where a command was asked for JSON, its mistakes, warnings and notes are kept and told at its end as one JSON object.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from typing import Any, TextIO, TypeVar

from odahu_argo.errors import OdahuArgoError, Problem, ServiceFault

Form = TypeVar("Form")


@dataclass(slots=True)
class _Kept:
    """What is told when the command ends."""

    problems: list[Problem] = field(default_factory=list)
    warnings: list[Problem] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


_kept: _Kept | None = None


def in_form(form: Form) -> Form:
    """The callback of each `--output`: for json all that would go to standard error is kept, as data."""
    global _kept
    if form == "json":
        _kept = _Kept()
    return form


def finish() -> None:
    """Tell what was kept, if there is anything, as one JSON object on standard error."""
    global _kept
    kept, _kept = _kept, None
    if kept is None or kept == _Kept():
        return
    problems, warnings = ([_as_data(each) for each in found] for found in (kept.problems, kept.warnings))
    live(json.dumps({"problems": problems, "warnings": warnings, "notes": kept.notes}, indent=2, ensure_ascii=False))


def _as_data(problem: Problem) -> dict[str, Any]:
    return {**asdict(problem.where), "message": problem.message, "hint": problem.hint}


def out(text: str) -> bool:
    """A result: what a script may read. False when its reader has gone away, as `head` does, which is no error.

    Raises:
        ServiceFault: standard output cannot be written.
    """
    try:
        return _write(sys.stdout, text)
    except OSError as error:
        raise ServiceFault(f"standard output cannot be written: {error.strerror}") from error


def error(problem: OdahuArgoError) -> None:
    """Every problem of an error, one below the other."""
    for each in problem.problems:
        if _kept is None:
            live(f"error: {each}")
        else:
            _kept.problems.append(each)


def warning(problem: Problem) -> None:
    """Something that was understood, or goes on, although it is not quite right."""
    if _kept is None:
        live(f"warning: {problem}")
    else:
        _kept.warnings.append(problem)


def note(text: str) -> None:
    """Something worth knowing that is no result."""
    if _kept is None:
        live(text)
    else:
        _kept.notes.append(text.removeprefix("note: "))


def live(text: str) -> None:
    """What happens just now, said while anyone can hear it."""
    with suppress(OSError):
        _write(sys.stderr, text)


def _write(stream: TextIO, text: str) -> bool:
    """Write a line now; a stream that fails is closed off, so that nothing is left for it when the process ends."""
    try:
        stream.write(text if text.endswith("\n") else text + "\n")
        stream.flush()
        return True
    except BrokenPipeError:
        _close_off(stream)
        return False
    except OSError:
        _close_off(stream)
        raise


def _close_off(stream: TextIO) -> None:
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


def as_json(value: Any) -> None:
    """Plain data, indented by two spaces."""
    out(json.dumps(value, indent=2, ensure_ascii=False))


def table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Left-aligned columns, two spaces apart, as kubectl prints them."""
    widths = [max(len(line[index]) for line in [columns, *rows]) for index in range(len(columns))]
    for line in [columns, *rows]:
        out("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())
