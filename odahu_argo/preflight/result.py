"""The result of one check of a cluster."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

CheckLevel = Literal["ok", "warning", "error"]


@dataclass(frozen=True, slots=True)
class CheckResult:
    """`message` is the result for the `subject`, and `hint` explains how to fix a problem.

    `entity` is the ID of a connection that does not exist.
    """

    level: CheckLevel
    subject: str
    message: str
    hint: str | None = None
    entity: str | None = None
