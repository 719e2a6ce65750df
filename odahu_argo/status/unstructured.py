"""Values out of objects that may have any shape: what is not of the type asked for counts as missing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

LONGEST_TEXT = 4096
"""Characters that are looked at. Kubernetes keeps 4096 bytes of a pod's termination messages."""
LARGEST_NUMBER = 10**12


def mapping(value: object) -> Mapping[str, Any]:
    """The value where it is a mapping, else an empty one."""
    return value if isinstance(value, Mapping) else {}


def sequence(value: object) -> Sequence[Any]:
    """The value where it is a list, else an empty one."""
    return value if isinstance(value, list | tuple) else ()


def text(value: object) -> str:
    """The value where it is text, else an empty one: not endless, without blanks around it, control characters as `?`."""
    if not isinstance(value, str):
        return ""
    shortened = value[:LONGEST_TEXT].strip()
    return shortened if shortened.isprintable() else "".join(map(_shown, shortened))


def _shown(character: str) -> str:
    return character if character.isprintable() or character in "\n\t" else "?"


def whole(value: object) -> int | None:
    """A whole number, also where it is written as text: Argo's exit codes are. None for all else."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value if abs(value) < LARGEST_NUMBER else None
    written = text(value)
    return int(written) if written.removeprefix("-").isdecimal() and len(written) <= 12 else None


def truth(value: object) -> bool | None:
    """Yes or no, also where it is written as text: `odahu_argo.document` leaves scalars as they are. None for all else."""
    return value if isinstance(value, bool) else {"true": True, "false": False}.get(text(value))


def look(value: object, *path: str) -> object:
    """What lies below the value at the path; None where a part of it is missing."""
    for key in path:
        value = mapping(value).get(key)
    return value
