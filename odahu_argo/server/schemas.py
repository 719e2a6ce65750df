"""What a request may ask: pages of a list, ids, and bodies of bounded size."""

from __future__ import annotations

import json
from typing import Annotated, Any, TypeVar

from fastapi import Depends, Path, Request
from pydantic import BaseModel, ConfigDict, Field
from pydantic.json_schema import models_json_schema
from starlette.requests import ClientDisconnect

from odahu_argo import document
from odahu_argo.errors import NotFound, UserError
from odahu_argo.manifest.load import Manifests, read_documents
from odahu_argo.manifest.models import Connection, ModelTraining, ToolchainIntegration
from odahu_argo.naming import ID_PATTERN
from odahu_argo.odahu_api import PAGE
from odahu_argo.server.errors import TooLarge


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


ANSWERED = {"status", "createdAt", "updatedAt"}
"""What an answer has beside a manifest's fields, and a client may send back."""


def as_manifest(body: object, kind: str) -> Manifests:
    """The body as the one manifest of that kind; `kind` may be left out, as ODAHU's clients do.

    Raises:
        UserError: it is none. What is wrong inside it stays with the manifests.
    """
    if not isinstance(body, dict):
        raise UserError(f"the body is no {kind}", hint='send a JSON object with "id" and "spec"')
    if body.get("kind") not in (None, kind):
        raise UserError(f"kind: {str(body['kind'])[:63]!r} is not {kind}")
    fields = {name: value for name, value in body.items() if name not in ANSWERED}
    return read_documents(document.parse(json.dumps({**fields, "kind": kind}), "body"))


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


def manifest_schemas() -> dict[str, Any]:
    """Each manifest and what it is made of, by name. Bodies may be sent without `kind`."""
    kinds = (ModelTraining, Connection, ToolchainIntegration)
    _, schema = models_json_schema(
        [(kind, "validation") for kind in kinds], ref_template="#/components/schemas/{model}", by_alias=True
    )
    found: dict[str, Any] = schema["$defs"]
    return found
