"""Typed access to JSON-like values of unknown shape: a value of another type counts as missing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

MAX_TEXT_LENGTH = 4096
"""Characters. Kubernetes keeps 4096 bytes of a termination message."""
MAX_INTEGER = 10**12


def get_path(value: object, *path: str) -> object:
    """Return the nested value at `path`, or None if any part of the path is missing."""
    for key in path:
        value = mapping(value).get(key)
    return value


def mapping(value: object) -> Mapping[str, Any]:
    """Return the value if it is a mapping, else an empty mapping."""
    return value if isinstance(value, Mapping) else {}


def sequence(value: object) -> Sequence[Any]:
    """Return the value if it is a list or tuple, else an empty tuple."""
    return value if isinstance(value, list | tuple) else ()


def text(value: object) -> str:
    """Return the value if it is text, else an empty string.

    The text is truncated to `MAX_TEXT_LENGTH` and stripped; control characters become `?`.
    """
    if not isinstance(value, str):
        return ""
    shortened = value[:MAX_TEXT_LENGTH].strip()
    return shortened if shortened.isprintable() else "".join(map(_printable, shortened))


def _printable(character: str) -> str:
    return character if character.isprintable() or character in "\n\t" else "?"


def integer(value: object) -> int | None:
    """Return an integer, also from its text form (Argo writes exit codes as text); None for anything else."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value if abs(value) < MAX_INTEGER else None
    digits = text(value)
    return int(digits) if digits.removeprefix("-").isdecimal() and len(digits) <= 12 else None


def boolean(value: object) -> bool | None:
    """Return a boolean, also from its text form (`odahu_argo.document` keeps scalars as text); None for anything else."""
    return value if isinstance(value, bool) else {"true": True, "false": False}.get(text(value))
