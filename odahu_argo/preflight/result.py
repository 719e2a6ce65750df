"""What was looked at on a cluster, and what was seen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Level = Literal["ok", "warning", "error"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at: `subject` in a word or two, `message` what was seen, `hint` the remedy."""

    level: Level
    subject: str
    message: str
    hint: str | None = None
