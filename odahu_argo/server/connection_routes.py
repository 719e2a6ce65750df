"""The routes of /connection."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Response
from fastapi.security import HTTPBearer
from pydantic import Field
from starlette.concurrency import run_in_threadpool

from odahu_argo.server.answers import ConnectionAnswer, Message
from odahu_argo.server.guard import Caller, caller
from odahu_argo.server.refusals import NotPermitted
from odahu_argo.server.requests import Body, Id, Page, body_of
from odahu_argo.server.source import Connections, Form
from odahu_argo.submit.odahu_api import CHANGED, PREFIX

BODY = body_of(
    "Connection",
    {"id": "wine-data", "spec": {"type": "s3", "uri": "s3://wine/data/", "region": "eu-central-1"}},
)


class ConnectionPage(Page):
    """A page of the connections of these types."""

    type: list[str] = Field([], description="Only connections of these types.")


def connection_routes(connections: Connections) -> APIRouter:
    """ODAHU's routes for connections."""
    router = APIRouter(prefix=f"{PREFIX}/connection", tags=["Connection"])

    @router.get("", response_model=list[ConnectionAnswer])
    def list_connections(query: Annotated[ConnectionPage, Query()]) -> list[Form]:
        """Connections by id, their secret values masked."""
        return query.of(
            [each for each in connections.all() if not query.type or each["spec"].get("type") in query.type]
        )

    @router.get("/{id}", response_model=ConnectionAnswer)
    def get_connection(id: Id) -> Form:
        """One connection, its secret values masked."""
        return connections.get(id)

    @router.get(
        "/{id}/decrypted", response_model=ConnectionAnswer, dependencies=[Depends(HTTPBearer(auto_error=False))]
    )
    def get_decrypted_connection(id: Id, asking: Annotated[Caller, Depends(caller)]) -> Form:
        """One connection with its secret values, as base64; only for callers with the right to decrypt."""
        if not asking.may_decrypt:
            raise NotPermitted(
                "secret values are shown only to callers with the right to decrypt",
                hint="docs/guides/api-server.md, Who may ask: --decrypt-token-file, --decrypt-role",
            )
        return connections.get(id, decrypted=True)

    @router.post("", response_model=ConnectionAnswer, status_code=201, openapi_extra=BODY)
    async def create_connection(body: Body) -> Form:
        """Keep a new connection."""
        return await run_in_threadpool(connections.create, body)

    @router.put("", response_model=ConnectionAnswer, openapi_extra=BODY)
    async def update_connection(body: Body, response: Response) -> Form:
        """Replace a connection. Secret values must be given again; masked ones are refused."""
        updated = await run_in_threadpool(connections.update, body)
        response.headers[CHANGED] = str(updated.is_changed).lower()
        return updated.form

    @router.delete("/{id}", response_model=Message)
    def delete_connection(id: Id) -> dict[str, str]:
        """Remove a connection that is not vital. What it leads to is not touched."""
        connections.delete(id)
        return {"message": f"Connection {id} was deleted"}

    return router
