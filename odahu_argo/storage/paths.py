"""Checks of user-supplied paths."""

from __future__ import annotations

import re
from pathlib import Path

from odahu_argo.errors import UserError

_CONTROL_CHARACTERS = re.compile(r"[\x00-\x1f\x7f]")
_DOTS = re.compile(r"(?:^|/)\.\.?(?:/|\Z)")


def inside(root: Path, path: str, field: str) -> Path:
    """Return the absolute path of `path` below `root`, with symbolic links resolved.

    Raises:
        UserError: the path is outside of `root`. The message calls it `field`.
    """
    if has_control_characters(path):
        raise UserError(f"{field} {path!r} contains control characters", hint="remove them")
    resolved = (root / path).resolve()
    if path.startswith("/") or not resolved.is_relative_to(root.resolve()):
        raise UserError(
            f"{field} {path!r} leaves the repository",
            hint="write a path inside the repository, without `..` and without a symbolic link to the outside",
        )
    return resolved


def has_control_characters(text: str) -> bool:
    """Return whether the text contains control characters, such as a line break or NUL."""
    return bool(_CONTROL_CHARACTERS.search(text))


def has_dots(path: str) -> bool:
    """Return whether a segment is `.` or `..`, which HTTP libraries resolve to another path."""
    return bool(_DOTS.search(path))
