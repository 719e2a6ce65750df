"""Values as people read them, and text of others made safe to show."""

from __future__ import annotations

import math
from datetime import UTC, datetime

from odahu_argo.local.logs import plain_text

LONGEST_LINE = 2000
"""Characters of a line that are shown."""


def shown(text: str, longest: int | None = LONGEST_LINE) -> str:
    """The text without terminal colours and control characters; longer lines are cut, and say so."""
    return "\n".join(_line(line.removesuffix("\r"), longest) for line in text.split("\n"))


def _line(text: str, longest: int | None) -> str:
    if longest is None or len(text) <= longest:
        return plain_text(text)
    return f"{plain_text(text[:longest])}… ({len(text) - longest:,} more characters)"


def moment(text: str) -> datetime | None:
    """A time in RFC 3339 or ISO 8601; None where it is none."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def seconds(since: datetime | None, until: datetime | None) -> float:
    """How long; 0 where one of them is not known."""
    return max(0.0, (until - since).total_seconds()) if since and until else 0.0


def took(length: float) -> str:
    """A length of time in two units: `4 s`, `1 min 31 s`, `5 h 2 min`, `3 d 4 h`."""
    whole = round(length)
    if whole < 1:
        return "< 1 s" if length > 0 else "0 s"
    days, hours, minutes = whole // 86400, whole // 3600 % 24, whole // 60 % 60
    parts = [(days, "d"), (hours, "h"), (minutes, "min"), (whole % 60, "s")]
    first = next(place for place, (count, _) in enumerate(parts) if count)
    return " ".join(f"{count} {unit}" for count, unit in parts[first : first + 2] if count)


def ago(since: datetime | None, now: datetime) -> str:
    """How long ago in one unit: `just now`, `12 min ago`, `9 d ago`."""
    if since is None:
        return ""
    length = int(seconds(since, now))
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if length >= size:
            return f"{length // size} {unit} ago"
    return "just now" if length < 5 else f"{length} s ago"


def number(value: float) -> str:
    """A metric's value in at most six digits."""
    if math.isnan(value):
        return "NaN"
    return f"{value:.6g}".replace("inf", "∞")
