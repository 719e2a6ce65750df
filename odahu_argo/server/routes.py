"""ODAHU's routes for trainings, connections and toolchains."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import StreamingResponse
from fastapi.security import HTTPBearer
from pydantic import Field
from starlette.concurrency import run_in_threadpool

from odahu_argo.backends.base import Resources, Trainings
from odahu_argo.backends.operations import submit_training
from odahu_argo.backends.streaming import LogStreams
from odahu_argo.errors import UserError
from odahu_argo.manifest.load import with_warnings_as_problems
from odahu_argo.odahu_api import CHANGED_HEADER, PREFIX, TOTAL_HEADER, Document, encode_secrets, training_to_api
from odahu_argo.server.auth import request_caller
from odahu_argo.server.errors import NotPermitted, is_own_client
from odahu_argo.server.headers import add_warnings
from odahu_argo.server.log_response import LogResponse, open_log
from odahu_argo.server.odahu_errors import InvalidEntity, neutral_hint
from odahu_argo.server.oidc import Caller
from odahu_argo.server.schemas import (
    Body,
    ConnectionResponse,
    ErrorResponse,
    Id,
    MessageResponse,
    PageQuery,
    ToolchainResponse,
    TrainingResponse,
    body_schema,
    read_manifest,
    read_manifests,
)
from odahu_argo.status.model import State
from odahu_argo.trainings.model import Training
from odahu_argo.trainings.selection import PageRequest, TrainingFilter, TrainingPage

TRAINING_BODY = body_schema(
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
CONNECTION_BODY = body_schema(
    "Connection",
    {"id": "wine-data", "spec": {"type": "s3", "uri": "s3://wine/data/", "region": "eu-central-1"}},
)
TOOLCHAIN_BODY = body_schema(
    "ToolchainIntegration",
    {"id": "line", "spec": {"entrypoint": "least-squares", "defaultImage": "registry.example.org/least-squares:1.2"}},
)


Strictness = Annotated[
    bool,
    Query(
        description="Treat warnings, and packages that differ from the environment file of an MLflow project, as errors."
    ),
]


class TrainingQuery(PageQuery):
    """A page of the trainings that match every filter. A repeated filter matches any of its values.

    `state` and `sort` are additions to ODAHU's API.
    """

    model_name: list[str] = Field([], description="Only models with these names.")
    model_version: list[str] = Field([], description="Only these versions.")
    toolchain: list[str] = Field([], description="Only these toolchains.")

    state: list[State] = Field([], description="Only trainings in these states.")
    sort: Literal["id", "newest"] = Field("id", description="By ID, or by submission, newest first.")

    def select_from(self, trainings: Trainings) -> TrainingPage:
        """Return the page; after the last page, one without trainings."""
        selection = TrainingFilter(self.state, self.model_name, self.model_version, self.toolchain)
        selected = trainings.page(selection, PageRequest(self.page + 1, self.size, self.sort == "newest"))
        return selected if selected.number == self.page + 1 else replace(selected, trainings=())


class ConnectionQuery(PageQuery):
    """A page of the connections of these types."""

    type: list[str] = Field([], description="Only connections of these types.")


def training_routes(trainings: Trainings, logs: LogStreams) -> APIRouter:
    """Return the routes of /model/training."""
    router = APIRouter(prefix=f"{PREFIX}/model/training", tags=["Training"])

    @router.get("", response_model=list[TrainingResponse])
    def list_trainings(
        query: Annotated[TrainingQuery, Query()], request: Request, response: Response
    ) -> list[Document]:
        """Return trainings that match every filter. The header `Odahu-Argo-Total` is their number on all pages."""
        page = query.select_from(trainings)
        response.headers[TOTAL_HEADER] = str(page.total)
        return [_to_response(training, request) for training in page.trainings]

    @router.get("/{id}", response_model=TrainingResponse)
    def get_training(id: Id, request: Request) -> Document:
        """Return one training."""
        return _to_response(trainings.get(id), request)

    @router.post("", response_model=TrainingResponse, status_code=201, openapi_extra=TRAINING_BODY)
    async def create_training(body: Body, request: Request, response: Response, strict: Strictness = False) -> Document:
        """Start a training. Its connections and its toolchain must exist."""
        return _to_response(await run_in_threadpool(_submit, trainings, body, True, strict, response), request)

    @router.put("", response_model=TrainingResponse, openapi_extra=TRAINING_BODY)
    async def update_training(body: Body, request: Request, response: Response, strict: Strictness = False) -> Document:
        """Stop the current run of a training and start a new one."""
        return _to_response(await run_in_threadpool(_submit, trainings, body, False, strict, response), request)

    @router.delete("/{id}", response_model=MessageResponse)
    def delete_training(id: Id) -> dict[str, str]:
        """Delete a training. Trained models are kept."""
        trainings.delete(id)
        return {"message": f"Model training {id} was deleted"}

    @router.get(
        "/{id}/log",
        response_class=StreamingResponse,
        responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}, 429: {"model": ErrorResponse}},
    )
    async def log(id: Id, follow: bool = False) -> LogResponse:
        """Return the output of the steps. With `follow`, continue until the training has ended."""
        return LogResponse(await open_log(logs, trainings, id, follow))

    return router


def _submit(trainings: Trainings, body: object, is_new: bool, is_strict: bool, response: Response) -> Training:
    with _validation("ModelTraining", body):
        manifests = read_manifests(body, "ModelTraining")
        if is_strict:
            manifests = with_warnings_as_problems(manifests)
        training_id = submit_training(trainings, manifests, is_new)
    add_warnings(response, manifests.warnings)
    return trainings.get(training_id)


def _to_response(training: Training, request: Request) -> Document:
    """Return the document of a training. Only odahu-argo's command line gets hints that name its commands."""
    document = training_to_api(training)
    details = document["status"].get("argo", {})
    if not is_own_client(request) and details.get("hint"):
        details = {**details, "hint": neutral_hint(details["hint"]) or ""}
        return {**document, "status": {**document["status"], "argo": details}}
    return document


def connection_routes(connections: Resources) -> APIRouter:
    """Return the routes of /connection."""
    router = APIRouter(prefix=f"{PREFIX}/connection", tags=["Connection"])

    @router.get("", response_model=list[ConnectionResponse])
    def list_connections(query: Annotated[ConnectionQuery, Query()]) -> list[Document]:
        """Return connections sorted by ID, with masked secret values."""
        found = [entry for entry in connections.list() if not query.type or entry["spec"].get("type") in query.type]
        return [encode_secrets(entry) for entry in query.select(found)]

    @router.get("/{id}", response_model=ConnectionResponse)
    def get_connection(id: Id) -> Document:
        """Return one connection with masked secret values."""
        return encode_secrets(connections.get(id))

    @router.get(
        "/{id}/decrypted", response_model=ConnectionResponse, dependencies=[Depends(HTTPBearer(auto_error=False))]
    )
    def get_decrypted_connection(id: Id, caller: Annotated[Caller, Depends(request_caller)]) -> Document:
        """Return one connection with its secret values in base64. Requires the right to decrypt."""
        if not caller.may_decrypt:
            raise NotPermitted(
                "reading secret values requires the right to decrypt",
                hint="see docs/guides/api-server.md: --decrypt-token-file, --decrypt-role",
            )
        return encode_secrets(connections.get(id, decrypted=True))

    @router.post("", response_model=ConnectionResponse, status_code=201, openapi_extra=CONNECTION_BODY)
    async def create_connection(body: Body, response: Response) -> Document:
        """Create a connection."""
        return encode_secrets(await run_in_threadpool(_create, connections, body, "Connection", response))

    @router.put("", response_model=ConnectionResponse, openapi_extra=CONNECTION_BODY)
    async def update_connection(body: Body, response: Response) -> Document:
        """Replace a connection. Secret values must be included; masked values are rejected."""
        return encode_secrets(await run_in_threadpool(_update, connections, body, "Connection", response))

    @router.delete("/{id}", response_model=MessageResponse)
    def delete_connection(id: Id) -> dict[str, str]:
        """Delete a connection that is not vital. The data behind it is not touched."""
        connections.delete(id)
        return {"message": f"Connection {id} was deleted"}

    return router


def toolchain_routes(toolchains: Resources) -> APIRouter:
    """Return the routes of /toolchain/integration."""
    router = APIRouter(prefix=f"{PREFIX}/toolchain/integration", tags=["Toolchain"])

    @router.get("", response_model=list[ToolchainResponse])
    def list_toolchains(query: Annotated[PageQuery, Query()]) -> list[Document]:
        """Return every toolchain, including built-in ones, sorted by ID."""
        return query.select(list(toolchains.list()))

    @router.get("/{id}", response_model=ToolchainResponse)
    def get_toolchain(id: Id) -> Document:
        """Return one toolchain."""
        return toolchains.get(id)

    @router.post("", response_model=ToolchainResponse, status_code=201, openapi_extra=TOOLCHAIN_BODY)
    async def create_toolchain(body: Body, response: Response) -> Document:
        """Create a toolchain. It replaces a built-in one with the same ID."""
        return await run_in_threadpool(_create, toolchains, body, "ToolchainIntegration", response)

    @router.put("", response_model=ToolchainResponse, openapi_extra=TOOLCHAIN_BODY)
    async def update_toolchain(body: Body, response: Response) -> Document:
        """Replace a toolchain."""
        return await run_in_threadpool(_update, toolchains, body, "ToolchainIntegration", response)

    @router.delete("/{id}", response_model=MessageResponse)
    def delete_toolchain(id: Id) -> dict[str, str]:
        """Delete a toolchain. Running trainings are not affected."""
        toolchains.delete(id)
        return {"message": f"ToolchainIntegration {id} was deleted"}

    return router


def _create(resources: Resources, body: object, kind: str, response: Response) -> Document:
    resources.check_writable()
    with _validation(kind, body):
        manifest, warnings = read_manifest(body, kind)
        resources.create(manifest)
    add_warnings(response, warnings)
    return resources.get(manifest.id)


def _update(resources: Resources, body: object, kind: str, response: Response) -> Document:
    resources.check_writable()
    with _validation(kind, body):
        manifest, warnings = read_manifest(body, kind)
        resources.check_edit(manifest.id)
        resources.check(manifest)
        outcome = resources.apply(manifest)
    add_warnings(response, warnings)
    response.headers[CHANGED_HEADER] = str(outcome != "unchanged").lower()
    return resources.get(manifest.id)


@contextmanager
def _validation(kind: str, body: object) -> Iterator[None]:
    """Raise InvalidEntity for errors in the body. Other errors, such as NotFound, are unchanged."""
    try:
        yield
    except UserError as error:
        if error.http_status == UserError.http_status:
            raise InvalidEntity(kind, body, error.problems) from error
        raise
