"""The only place that writes to the terminal: results to standard output, all else to standard error."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

import typer

from odahu_argo.errors import OdahuArgoError, ServiceFault


def out(text: str) -> None:
    """A result: what a script may read. A reader that has gone away, as `head` does, is no error.

    Raises:
        ServiceFault: standard output cannot be written.
    """
    try:
        sys.stdout.write(text if text.endswith("\n") else text + "\n")
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:
        reason = error.strerror
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise ServiceFault(f"standard output cannot be written: {reason}") from error


def note(text: str) -> None:
    """Something worth knowing that is no result."""
    sys.stderr.write(text + "\n")


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
