"""Request parameters, request bodies and response models."""

from __future__ import annotations

import json
from typing import Annotated, Any, TypeVar

from fastapi import Depends, Path, Request
from pydantic import BaseModel, ConfigDict, Field
from pydantic.json_schema import models_json_schema
from starlette.requests import ClientDisconnect

from odahu_argo import document
from odahu_argo.errors import NotFound, Problem, TooLarge, UserError
from odahu_argo.manifest.load import LoadedManifest, Manifests, parse_documents
from odahu_argo.manifest.models import Connection, ModelTraining, ToolchainIntegration
from odahu_argo.naming import ID_PATTERN
from odahu_argo.odahu_api import MAX_PAGE_SIZE

MAX_BODY_BYTES = 1024 * 1024
"""Kubernetes accepts no larger object."""
RESPONSE_FIELDS = {"status", "createdAt", "updatedAt"}
"""Fields of a response that a manifest does not have. Clients may send them back; they are ignored."""

T = TypeVar("T")


class _ResourceResponse(BaseModel):
    model_config = ConfigDict(extra="allow")
    id: str
    spec: dict[str, Any]
    createdAt: str
    updatedAt: str


class TrainingResponse(_ResourceResponse):
    """A training. `status.state` is scheduling, running, succeeded, failed or unknown."""

    status: dict[str, Any]


class ConnectionResponse(_ResourceResponse):
    """A connection. Secret fields are `*****` unless the decrypted connection was requested."""


class ToolchainResponse(_ResourceResponse):
    """A toolchain."""


class MessageResponse(BaseModel):
    """The result of an operation."""

    message: str


class ProblemResponse(BaseModel):
    """One error: its field in the body, and how to fix it, if known."""

    field: str | None
    message: str
    hint: str | None


class ErrorResponse(BaseModel):
    """All errors as one text, and one by one."""

    message: str
    problems: list[ProblemResponse] = []


ERROR_RESPONSES: dict[int | str, dict[str, Any]] = {
    code: {"model": ErrorResponse} for code in (400, 401, 403, 404, 405, 409, 413, 503)
}
"""Errors that every route may return."""


class PageQuery(BaseModel):
    """The requested part of a list. Unknown parameters are rejected, as in ODAHU."""

    model_config = ConfigDict(extra="forbid")
    size: int = Field(MAX_PAGE_SIZE, ge=1, le=MAX_PAGE_SIZE, description="Entries per page.")
    page: int = Field(0, ge=0, le=2**31, description="Page number, from 0.")

    def select(self, entries: list[T]) -> list[T]:
        """Return the entries of the page."""
        return entries[self.page * self.size : (self.page + 1) * self.size]


def _valid_id(id: Annotated[str, Path(description="ID of the resource.")]) -> str:
    """Return the ID if a resource can have it. IDs become part of names and label selectors.

    Raises:
        NotFound: The ID is not valid.
    """
    if not ID_PATTERN.fullmatch(id):
        raise NotFound(f"{id[:63]!r} does not exist", entity=id[:63])
    return id


Id = Annotated[str, Depends(_valid_id)]


async def _read_json(request: Request) -> object:
    """Parse the body as JSON.

    The content type is required: a browser sends application/json to another site only if that site allows it.

    Raises:
        TooLarge: The body is too large.
        UserError: The body is not JSON.
    """
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise UserError("the body must be JSON", hint="set Content-Type: application/json")
    try:
        return json.loads(await _read_body(request), object_pairs_hook=_unique_keys)
    except ClientDisconnect as error:
        raise UserError("the client disconnected before the body was complete") from error
    except (ValueError, RecursionError) as error:
        raise UserError(f"the body is not valid JSON: {error}") from error


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return a JSON object. Programs disagree about which of two equal keys counts."""
    unique: dict[str, Any] = {}
    for name, value in pairs:
        if name in unique:
            raise ValueError(f"the key {name[:63]!r} occurs twice in an object")
        unique[name] = value
    return unique


async def _read_body(request: Request) -> bytearray:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            raise TooLarge(f"the body is larger than {MAX_BODY_BYTES // 1024} KiB")
    return body


Body = Annotated[object, Depends(_read_json)]


def read_manifests(body: object, kind: str) -> Manifests:
    """Read the body as one manifest of the given kind. `kind` may be missing, as ODAHU's clients send it.

    Raises:
        UserError: The body is not such a manifest. Errors inside it are in `Manifests.problems`.
    """
    if not isinstance(body, dict):
        raise UserError(f"the body is not a {kind}", hint='send a JSON object with "id" and "spec"')
    if body.get("kind") not in (None, kind):
        raise UserError(f"kind: {str(body['kind'])[:63]!r} is not {kind}")
    fields = {name: value for name, value in body.items() if name not in RESPONSE_FIELDS}
    return parse_documents(document.parse(json.dumps({**fields, "kind": kind}), "body"))


def read_manifest(body: object, kind: str) -> tuple[Connection | ToolchainIntegration, tuple[Problem, ...]]:
    """Read the body as a connection or toolchain, and return it with the warnings about it.

    Raises:
        UserError: The body has errors. Reports all of them.
    """
    manifests = read_manifests(body, kind)
    if manifests.problems:
        raise UserError(manifests.problems)
    entries: list[LoadedManifest[Any]] = [*manifests.connections, *manifests.toolchains]
    [written] = entries
    manifest: Connection | ToolchainIntegration = written.manifest
    return manifest.from_api() if isinstance(manifest, Connection) else manifest, manifests.warnings


def body_schema(manifest: str, example: dict[str, Any]) -> dict[str, Any]:
    """Return the OpenAPI description of a body that is a manifest."""
    schema = {"$ref": f"#/components/schemas/{manifest}"}
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema, "example": example}}}}


def manifest_schemas() -> dict[str, Any]:
    """Return the schemas of all manifests by name. Bodies may omit `kind`."""
    kinds = (ModelTraining, Connection, ToolchainIntegration)
    _, schema = models_json_schema(
        [(kind, "validation") for kind in kinds], ref_template="#/components/schemas/{model}", by_alias=True
    )
    definitions: dict[str, Any] = schema["$defs"]
    return definitions
