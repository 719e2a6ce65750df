"""The routes of /model/training."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Response
from fastapi.responses import StreamingResponse
from fastapi.security import HTTPBearer
from pydantic import Field
from starlette.concurrency import run_in_threadpool

from odahu_argo.odahu_api import CHANGED, PREFIX
from odahu_argo.server.auth import Caller, caller
from odahu_argo.server.errors import NotPermitted
from odahu_argo.server.schemas import (
    Body,
    ConnectionAnswer,
    Id,
    Message,
    Page,
    ToolchainAnswer,
    TrainingAnswer,
    as_manifest,
    body_of,
)
from odahu_argo.server.source import Connections, Form, Toolchains, Trainings
from odahu_argo.server.streaming import streamed

BODY = body_of(
    "ModelTraining",
    {
        "id": "wine",
        "spec": {
            "model": {"name": "wine", "version": "1.0"},
            "toolchain": "mlflow",
            "vcsName": "code",
            "entrypoint": "main",
        },
    },
)


class TrainingPage(Page):
    """A page of the trainings that pass every filter. A filter that is given twice takes either value."""

    model_name: list[str] = Field([], description="Only models of these names.")
    model_version: list[str] = Field([], description="Only these versions.")
    toolchain: list[str] = Field([], description="Only these toolchains.")

    def passes(self, training: Form) -> bool:
        """Whether the training passes every filter."""
        spec = training["spec"]
        model = spec.get("model") or {}
        has = (model.get("name"), model.get("version"), spec.get("toolchain"))
        wanted = (self.model_name, self.model_version, self.toolchain)
        return all(not values or str(value) in values for value, values in zip(has, wanted, strict=True))


def training_routes(trainings: Trainings) -> APIRouter:
    """ODAHU's routes for trainings."""
    router = APIRouter(prefix=f"{PREFIX}/model/training", tags=["Training"])

    @router.get("", response_model=list[TrainingAnswer])
    def list_trainings(query: Annotated[TrainingPage, Query()]) -> list[Form]:
        """Trainings by id, those that pass every filter."""
        return query.of([each for each in trainings.all() if query.passes(each)])

    @router.get("/{id}", response_model=TrainingAnswer)
    def get_training(id: Id) -> Form:
        """One training."""
        return trainings.get(id)

    @router.post("", response_model=TrainingAnswer, status_code=201, openapi_extra=BODY)
    async def create_training(body: Body) -> Form:
        """Start a training. The connections and the toolchain that it names must be there already."""
        return await run_in_threadpool(lambda: trainings.create(as_manifest(body, "ModelTraining")))

    @router.put("", response_model=TrainingAnswer, openapi_extra=BODY)
    async def update_training(body: Body) -> Form:
        """Run a training anew as the body says; the run before is stopped."""
        return await run_in_threadpool(lambda: trainings.update(as_manifest(body, "ModelTraining")))

    @router.delete("/{id}", response_model=Message)
    def delete_training(id: Id) -> dict[str, str]:
        """Remove a training; trained models stay."""
        trainings.delete(id)
        return {"message": f"Model training {id} was deleted"}

    @router.get(
        "/{id}/log",
        response_class=StreamingResponse,
        responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
    )
    def log(id: Id, follow: bool = False) -> StreamingResponse:
        """What the steps have printed; with `follow` until the training has ended."""
        return StreamingResponse(streamed(trainings.log(id, follow)), media_type="text/plain; charset=utf-8")

    return router


BODY_connection_routes = body_of(
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

    @router.post("", response_model=ConnectionAnswer, status_code=201, openapi_extra=BODY_connection_routes)
    async def create_connection(body: Body) -> Form:
        """Keep a new connection."""
        return await run_in_threadpool(connections.create, body)

    @router.put("", response_model=ConnectionAnswer, openapi_extra=BODY_connection_routes)
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


BODY_toolchain_routes = body_of(
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

    @router.post("", response_model=ToolchainAnswer, status_code=201, openapi_extra=BODY_toolchain_routes)
    async def create_toolchain(body: Body) -> Form:
        """Keep a new toolchain. It takes the place of a built-in one of its id."""
        return await run_in_threadpool(toolchains.create, body)

    @router.put("", response_model=ToolchainAnswer, openapi_extra=BODY_toolchain_routes)
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
