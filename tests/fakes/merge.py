"""JSON merge patches on plain objects."""

from __future__ import annotations

from typing import Any


def merge_patch(target: Any, change: Any) -> Any:
    """Return the result of a JSON merge patch (RFC 7386)."""
    if not isinstance(change, dict):
        return change
    result = dict(target) if isinstance(target, dict) else {}
    for name, value in change.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = merge_patch(result.get(name), value)
    return result


def removals(before: dict[str, Any], after: dict[str, Any]) -> dict[str, Any]:
    """Return the merge patch that removes the fields of an earlier `apply` which the new one lacks."""
    patch: dict[str, Any] = {}
    for name, value in before.items():
        if name not in after:
            patch[name] = None
        elif isinstance(value, dict) and isinstance(after[name], dict) and (nested := removals(value, after[name])):
            patch[name] = nested
    return patch
