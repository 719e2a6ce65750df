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
    """What was done, or what is wrong."""

    message: str


FAULTS: dict[int | str, dict[str, Any]] = {
    code: {"model": Message} for code in (400, 401, 403, 404, 405, 409, 413, 503)
}
"""What every route may answer instead."""
