"""What a request may ask: pages of a list, ids, and bodies of bounded size."""

from __future__ import annotations

import json
from typing import Annotated, Any, TypeVar

from fastapi import Depends, Path, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import ClientDisconnect

from odahu_argo.errors import UserError
from odahu_argo.naming import ID_PATTERN
from odahu_argo.server.refusals import TooLarge
from odahu_argo.submit.cluster import NotFound
from odahu_argo.submit.odahu_api import PAGE

T = TypeVar("T")

LARGEST_BODY = 1024 * 1024
"""Bytes; Kubernetes takes no larger object."""


class Page(BaseModel):
    """The part of a list that is asked for. Parameters that a list does not know are refused, as ODAHU did."""

    model_config = ConfigDict(extra="forbid")
    size: int = Field(PAGE, ge=1, le=PAGE, description="Entries of a page.")
    page: int = Field(0, ge=0, le=2**31, description="The page, from 0.")

    def of(self, found: list[T]) -> list[T]:
        """The entries of the page."""
        return found[self.page * self.size : (self.page + 1) * self.size]


def known_id(id: Annotated[str, Path(description="The id.")]) -> str:
    """The id, where anything can be called so: it goes into names and label selectors.

    Raises:
        NotFound: nothing can.
    """
    if not ID_PATTERN.fullmatch(id):
        raise NotFound(f"there is nothing called {id[:63]!r}")
    return id


Id = Annotated[str, Depends(known_id)]


async def read_json(request: Request) -> object:
    """The body's JSON. Its type must be said, since a browser sends JSON to another site only when that site allows it.

    Raises:
        TooLarge: it is too large.
        UserError: it is no JSON.
    """
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise UserError("the body must be JSON", hint="Content-Type: application/json")
    try:
        return json.loads(await _read(request))
    except ClientDisconnect as error:
        raise UserError("the client has gone before its body was whole") from error
    except (ValueError, RecursionError) as error:
        raise UserError(f"the body is no JSON: {error}") from error


async def _read(request: Request) -> bytearray:
    raw = bytearray()
    async for chunk in request.stream():
        raw += chunk
        if len(raw) > LARGEST_BODY:
            raise TooLarge(f"the body is larger than {LARGEST_BODY // 1024} KiB")
    return raw


Body = Annotated[object, Depends(read_json)]


def body_of(manifest: str, example: dict[str, Any]) -> dict[str, Any]:
    """What the OpenAPI document says of a body that is such a manifest."""
    schema = {"$ref": f"#/components/schemas/{manifest}"}
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema, "example": example}}}}
