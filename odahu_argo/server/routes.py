"""The routes of /model/training."""

from __future__ import annotations

import json
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Request
from fastapi.responses import StreamingResponse
from fastapi.security import HTTPBearer
from pydantic import BaseModel, ConfigDict
from starlette.concurrency import run_in_threadpool

from odahu_argo.errors import UserError
from odahu_argo.naming import ID_PATTERN
from odahu_argo.server.guard import Guard
from odahu_argo.server.source import Form, Trainings
from odahu_argo.server.streaming import streamed
from odahu_argo.submit.cluster import NotFound

LARGEST_BODY = 1024 * 1024
"""Bytes; Kubernetes takes no larger object."""
PAGE = 500
"""ODAHU's MaxSize."""
FILTERS = {"model_name", "model_version", "toolchain", "size", "page"}
EXAMPLE = {
    "id": "wine",
    "spec": {
        "model": {"name": "wine", "version": "1.0"},
        "toolchain": "mlflow",
        "vcsName": "code",
        "entrypoint": "main",
    },
}
BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {
                    "type": "object",
                    "required": ["id", "spec"],
                    "properties": {
                        "id": {"type": "string", "pattern": f"^{ID_PATTERN.pattern}$"},
                        "spec": {"type": "object", "description": "docs/manifests.md tells every field"},
                    },
                    "example": EXAMPLE,
                }
            }
        },
    }
}


class ModelTraining(BaseModel):
    """A training as ODAHU's API shows it."""

    model_config = ConfigDict(extra="allow")
    id: str
    spec: dict[str, Any]
    status: dict[str, Any]
    createdAt: str
    updatedAt: str


class Message(BaseModel):
    """What was done, or what is wrong."""

    message: str


TrainingId = Annotated[str, Path(description="The training's id.")]


def training_routes(trainings: Trainings, guard: Guard) -> APIRouter:
    """ODAHU's routes for trainings, each behind the guard."""

    def guarded(request: Request) -> None:
        guard.check(request.headers.get("authorization"))

    documented = [] if guard.is_open else [Depends(HTTPBearer(auto_error=False))]
    codes = (400, 401, 403, 404, 405, 409, 503)
    router = APIRouter(
        prefix="/api/v1/model/training",
        tags=["Training"],
        dependencies=[Depends(guarded), *documented],
        responses={code: {"model": Message} for code in codes},
    )

    @router.get("", response_model=list[ModelTraining])
    def list_trainings(
        request: Request,
        model_name: Annotated[list[str] | None, Query(description="Only models of these names.")] = None,
        model_version: Annotated[list[str] | None, Query(description="Only these versions.")] = None,
        toolchain: Annotated[list[str] | None, Query(description="Only these toolchains.")] = None,
        size: Annotated[int, Query(ge=1, le=PAGE, description="Trainings of a page.")] = PAGE,
        page: Annotated[int, Query(ge=0, le=2**31, description="The page, from 0.")] = 0,
    ) -> list[Form]:
        """Trainings by id, those that pass every filter."""
        for name in sorted(set(request.query_params) - FILTERS):
            raise UserError(f"cannot find {name} url parameter")
        wanted = (("name", model_name), ("version", model_version), ("toolchain", toolchain))
        found = [each for each in trainings.all() if _passes(each["spec"], wanted)]
        return found[page * size : (page + 1) * size]

    @router.get("/{id}", response_model=ModelTraining)
    def get_training(id: TrainingId) -> Form:
        """One training."""
        return trainings.get(_known(id))

    @router.post("", response_model=ModelTraining, status_code=201, openapi_extra=BODY)
    async def create_training(request: Request) -> Form:
        """Start a training. What it names must be on the cluster already."""
        return await run_in_threadpool(trainings.create, await _body(request))

    @router.put("", response_model=ModelTraining, openapi_extra=BODY)
    async def update_training(request: Request) -> Form:
        """Run a training anew as the body says; the run before is stopped."""
        return await run_in_threadpool(trainings.update, await _body(request))

    @router.delete("/{id}", response_model=Message)
    def delete_training(id: TrainingId) -> dict[str, str]:
        """Remove a training; trained models stay."""
        trainings.delete(_known(id))
        return {"message": f"Model training {id} was deleted"}

    @router.get(
        "/{id}/log",
        response_class=StreamingResponse,
        responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
    )
    def log(id: TrainingId, follow: bool = False) -> StreamingResponse:
        """What the steps have printed; with `follow` until the training has ended."""
        lines = trainings.log(_known(id), follow)
        return StreamingResponse(streamed(lines), media_type="text/plain; charset=utf-8")

    return router


def _known(training_id: str) -> str:
    """The id, where there can be a training of it: it goes into names and label selectors.

    Raises:
        NotFound: no training can be called so.
    """
    if not ID_PATTERN.fullmatch(training_id):
        raise NotFound(f"there is no training {training_id[:63]!r}")
    return training_id


def _passes(spec: Form, wanted: tuple[tuple[str, list[str] | None], ...]) -> bool:
    has = {**(spec.get("model") or {}), "toolchain": spec.get("toolchain")}
    return all(not values or str(has.get(name)) in values for name, values in wanted)


async def _body(request: Request) -> object:
    """The body's JSON. Its type must be said, since a browser sends JSON to another site only when that site allows it.

    Raises:
        UserError: it is no JSON, or too large.
    """
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise UserError("the body must be JSON", hint="Content-Type: application/json")
    raw = bytearray()
    async for chunk in request.stream():
        raw += chunk
        if len(raw) > LARGEST_BODY:
            raise UserError(f"the body is larger than {LARGEST_BODY // 1024} KiB")
    try:
        return json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise UserError(f"the body is no JSON: {error}") from error
