"""Paths that a user wrote, kept inside the folder they count from."""

from __future__ import annotations

import re
from pathlib import Path

from odahu_argo.errors import UserError

_CONTROL_CHARACTERS = re.compile(r"[\x00-\x1f\x7f]")
_DOTS = re.compile(r"(?:^|/)\.\.?(?:/|\Z)")


def inside(root: Path, path: str, field: str) -> Path:
    """The path below `root`, absolute, symbolic links followed.

    Raises:
        UserError: it would leave `root`; `field` is what the user calls this path.
    """
    if has_control_characters(path):
        raise UserError(f"{field} {path!r} holds control characters", hint="write a plain path")
    resolved = (root / path).resolve()
    if path.startswith("/") or not resolved.is_relative_to(root.resolve()):
        raise UserError(
            f"{field} {path!r} leaves the repository",
            hint="write a path inside the repository, without `..` and without a symbolic link that leads out",
        )
    return resolved


def has_control_characters(text: str) -> bool:
    """Whether a line break, a NUL or their like is among the characters."""
    return bool(_CONTROL_CHARACTERS.search(text))


def has_dots(path: str) -> bool:
    """Whether a step is `.` or `..`, which HTTP libraries resolve: the path would lead to another object."""
    return bool(_DOTS.search(path))
