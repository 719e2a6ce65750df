"""The routes of /model/training."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import StreamingResponse
from pydantic import Field
from starlette.concurrency import run_in_threadpool

from odahu_argo.server.answers import Message, TrainingAnswer
from odahu_argo.server.bodies import as_manifest
from odahu_argo.server.requests import Body, Id, Page, body_of
from odahu_argo.server.source import Form, Trainings
from odahu_argo.server.streaming import streamed
from odahu_argo.submit.odahu_api import PREFIX

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
