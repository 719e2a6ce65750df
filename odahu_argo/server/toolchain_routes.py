"""The routes of /toolchain/integration."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Response
from starlette.concurrency import run_in_threadpool

from odahu_argo.server.answers import Message, ToolchainAnswer
from odahu_argo.server.requests import Body, Id, Page, body_of
from odahu_argo.server.source import Form, Toolchains
from odahu_argo.submit.odahu_api import CHANGED, PREFIX

BODY = body_of(
    "ToolchainIntegration",
    {"id": "line", "spec": {"entrypoint": "least-squares", "defaultImage": "registry.example.org/least-squares:1.2"}},
)


def toolchain_routes(toolchains: Toolchains) -> APIRouter:
    """ODAHU's routes for toolchains."""
    router = APIRouter(prefix=f"{PREFIX}/toolchain/integration", tags=["Toolchain"])

    @router.get("", response_model=list[ToolchainAnswer])
    def list_toolchains(query: Annotated[Page, Query()]) -> list[Form]:
        """Every toolchain that a training may name, by id."""
        return query.of(toolchains.all())

    @router.get("/{id}", response_model=ToolchainAnswer)
    def get_toolchain(id: Id) -> Form:
        """One toolchain."""
        return toolchains.get(id)

    @router.post("", response_model=ToolchainAnswer, status_code=201, openapi_extra=BODY)
    async def create_toolchain(body: Body) -> Form:
        """Keep a new toolchain. It takes the place of a built-in one of its id."""
        return await run_in_threadpool(toolchains.create, body)

    @router.put("", response_model=ToolchainAnswer, openapi_extra=BODY)
    async def update_toolchain(body: Body, response: Response) -> Form:
        """Replace a toolchain."""
        updated = await run_in_threadpool(toolchains.update, body)
        response.headers[CHANGED] = str(updated.is_changed).lower()
        return updated.form

    @router.delete("/{id}", response_model=Message)
    def delete_toolchain(id: Id) -> dict[str, str]:
        """Remove a toolchain. Trainings that were started with it go on."""
        toolchains.delete(id)
        return {"message": f"ToolchainIntegration {id} was deleted"}

    return router
