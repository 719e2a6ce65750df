"""The result of one check of a cluster."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

CheckLevel = Literal["ok", "warning", "error"]


@dataclass(frozen=True, slots=True)
class CheckResult:
    """`message` is the result for the `subject`, and `hint` explains how to fix a problem."""

    level: CheckLevel
    subject: str
    message: str
    hint: str | None = None
