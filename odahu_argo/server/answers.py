"""The answers' forms, as the OpenAPI document shows them."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict


class _Entity(BaseModel):
    model_config = ConfigDict(extra="allow")
    id: str
    spec: dict[str, Any]
    createdAt: str
    updatedAt: str


class TrainingAnswer(_Entity):
    """A training. `status.state` is scheduling, running, succeeded, failed or unknown."""

    status: dict[str, Any]


class ConnectionAnswer(_Entity):
    """A connection; its secret fields are `*****` but where they were asked for decrypted."""


class ToolchainAnswer(_Entity):
    """A toolchain."""


class Message(BaseModel):
    """What was done."""

    message: str


class Mistake(BaseModel):
    """One thing that is wrong: where in the body, and how to mend it, as far as that can be said."""

    field: str | None
    message: str
    hint: str | None


class Fault(BaseModel):
    """What is wrong: all in one text, and one by one."""

    message: str
    problems: list[Mistake] = []


FAULTS: dict[int | str, dict[str, Any]] = {code: {"model": Fault} for code in (400, 401, 403, 404, 405, 409, 413, 503)}
"""What every route may answer instead."""
