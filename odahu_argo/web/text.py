"""Values in readable form, and text from other sources made safe to display."""

from __future__ import annotations

import math
from datetime import UTC, datetime

from odahu_argo.local.logs import plain_text

MAX_LINE = 2000
"""Characters of a line that are displayed."""


def displayable(text: str, max_line: int | None = MAX_LINE) -> str:
    """Return the text without terminal colors and control characters. Longer lines are cut and say so."""
    if text.isprintable() and (max_line is None or len(text) <= max_line):
        return text
    return "\n".join(_line(line.removesuffix("\r"), max_line) for line in text.split("\n"))


def _line(text: str, max_line: int | None) -> str:
    if max_line is None or len(text) <= max_line:
        return plain_text(text)
    return f"{plain_text(text[:max_line])}… ({len(text) - max_line:,} more characters)"


def parse_time(text: str) -> datetime | None:
    """Parse a time in RFC 3339 or ISO 8601. Return None for anything else."""
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        return None
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def seconds(start: datetime | None, end: datetime | None) -> float:
    """Return the seconds between two times; 0 if one of them is unknown."""
    return max(0.0, (end - start).total_seconds()) if start and end else 0.0


def format_utc(time: datetime | None) -> str:
    """Format a time as `2026-01-02 03:04:05 UTC`; an unknown time as an empty text."""
    return f"{time.astimezone(UTC).isoformat(' ', 'seconds')[:19]} UTC" if time else ""


def format_duration(length: float) -> str:
    """Format seconds in at most two units: `4 s`, `1 min 31 s`, `5 h 2 min`, `3 d 4 h`."""
    whole = round(length)
    if whole < 1:
        return "< 1 s" if length > 0 else "0 s"
    days, hours, minutes = whole // 86400, whole // 3600 % 24, whole // 60 % 60
    parts = [(days, "d"), (hours, "h"), (minutes, "min"), (whole % 60, "s")]
    first = next(index for index, (count, _) in enumerate(parts) if count)
    return " ".join(f"{count} {unit}" for count, unit in parts[first : first + 2] if count)


def format_age(time: datetime | None, now: datetime) -> str:
    """Format a time relative to now: `just now`, `12 min ago`, `9 d ago`."""
    if time is None:
        return ""
    length = int(seconds(time, now))
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if length >= size:
            return f"{length // size} {unit} ago"
    return "just now" if length < 5 else f"{length} s ago"


def format_number(value: float) -> str:
    """Format a metric with at most six digits."""
    if math.isnan(value):
        return "NaN"
    return f"{value:.6g}".replace("inf", "∞")
