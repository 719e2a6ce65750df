"""The only place that writes to the terminal: results to standard output, all else to standard error."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict
from typing import Any, TextIO

import typer

from odahu_argo.errors import OdahuArgoError, ServiceFault


def out(text: str) -> bool:
    """A result: what a script may read. False when its reader has gone away, as `head` does, which is no error.

    Raises:
        ServiceFault: standard output cannot be written.
    """
    try:
        return _write(sys.stdout, text)
    except OSError as error:
        raise ServiceFault(f"standard output cannot be written: {error.strerror}") from error


def note(text: str) -> None:
    """Something worth knowing that is no result, said while anyone can hear it."""
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


def error(problem: OdahuArgoError) -> None:
    """Every problem of an error, one below the other."""
    for each in problem.problems:
        note(f"error: {each}")


@contextmanager
def errors_as_json(wanted: bool) -> Iterator[None]:
    """Within, where it is wanted, an error ends the command with its problems as one JSON object on standard error."""
    try:
        yield
    except OdahuArgoError as problem:
        if not wanted:
            raise
        problems = [{**asdict(each.where), "message": each.message, "hint": each.hint} for each in problem.problems]
        note(json.dumps({"problems": problems}, indent=2, ensure_ascii=False))
        raise typer.Exit(problem.exit_code) from problem


def as_json(value: Any) -> None:
    """Plain data, indented by two spaces."""
    out(json.dumps(value, indent=2, ensure_ascii=False))


def table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Left-aligned columns, two spaces apart, as kubectl prints them."""
    widths = [max(len(line[index]) for line in [columns, *rows]) for index in range(len(columns))]
    for line in [columns, *rows]:
        out("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())
