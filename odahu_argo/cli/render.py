"""The only module that writes to the terminal: results to standard output, everything else to standard error.

Text for people has the encoding of the locale, which cannot represent every character. Output for programs is UTF-8 in every
locale. With JSON output, errors, warnings and notes are collected and printed as one JSON object when the command ends.
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

Format = TypeVar("Format")


@dataclass(slots=True)
class _Diagnostics:
    """Messages that are printed when the command ends."""

    problems: list[Problem] = field(default_factory=list)
    warnings: list[Problem] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


_collected: _Diagnostics | None = None


def set_format(output_format: Format) -> Format:
    """Callback of each `--output`: with json, collect what would be printed to standard error."""
    global _collected
    if output_format == "json":
        _collected = _Diagnostics()
    return output_format


def finish() -> None:
    """Print the collected messages, if any, as one JSON object to standard error."""
    global _collected
    diagnostics, _collected = _collected, None
    if diagnostics is None or diagnostics == _Diagnostics():
        return
    document = {
        "problems": [_as_data(problem) for problem in diagnostics.problems],
        "warnings": [_as_data(problem) for problem in diagnostics.warnings],
        "notes": diagnostics.notes,
    }
    with suppress(OSError):
        _write(sys.stderr, json.dumps(document, indent=2, ensure_ascii=False), is_data=True)


def _as_data(problem: Problem) -> dict[str, Any]:
    return {**asdict(problem.location), "message": problem.message, "hint": problem.hint}


def out(text: str) -> bool:
    """Print a result for people. Return False if the reader closed the pipe, as `head` does.

    Raises:
        ServiceFault: Writing to standard output failed.
    """
    return _write_result(text, is_data=False)


def data(text: str) -> bool:
    """Print a result for programs, in UTF-8. Return False if the reader closed the pipe.

    Raises:
        ServiceFault: Writing to standard output failed.
    """
    return _write_result(text, is_data=True)


def _write_result(text: str, is_data: bool) -> bool:
    try:
        return _write(sys.stdout, text, is_data)
    except OSError as error:
        raise ServiceFault(f"cannot write to standard output: {error.strerror}") from error


def error(failure: OdahuArgoError) -> None:
    """Print every problem of an error."""
    for problem in failure.problems:
        if _collected is None:
            live(f"error: {problem}")
        else:
            _collected.problems.append(problem)


def warning(problem: Problem) -> None:
    """Print a problem that does not stop the command."""
    if _collected is None:
        live(f"warning: {problem}")
    else:
        _collected.warnings.append(problem)


def note(text: str) -> None:
    """Print additional information."""
    if _collected is None:
        live(text)
    else:
        _collected.notes.append(text.removeprefix("note: "))


def live(text: str) -> None:
    """Print progress to standard error immediately, also with JSON output."""
    with suppress(OSError):
        _write(sys.stderr, text)


def _write(stream: TextIO, text: str, is_data: bool = False) -> bool:
    """Write and flush a line. A failing stream is redirected to nowhere, so that the interpreter's exit does not fail.

    In data, which is UTF-8, lone surrogates are written as `\\ud800`, a valid escape sequence of JSON.
    """
    text = text if text.endswith("\n") else text + "\n"
    try:
        stream.flush()
        if is_data:
            stream.buffer.write(text.encode("utf-8", "backslashreplace"))
        else:
            stream.write(text)
        stream.flush()
        return True
    except BrokenPipeError:
        _discard(stream)
        return False
    except OSError:
        _discard(stream)
        raise


def _discard(stream: TextIO) -> None:
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, stream.fileno())
    os.close(null)


def as_json(value: Any) -> None:
    """Print JSON, indented by two spaces."""
    data(json.dumps(value, indent=2, ensure_ascii=False))


def table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print left-aligned columns, two spaces apart, as kubectl does."""
    widths = [max(len(line[index]) for line in [columns, *rows]) for index in range(len(columns))]
    for line in [columns, *rows]:
        out("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())
