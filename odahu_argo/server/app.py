"""The API: ODAHU's routes and answers, health, metrics and Swagger UI.

Routes, bodies and status codes are those of odahu-flow 1.6, packages/operator/pkg/apiserver/routes.
docs/reference/api.md lists the differences.
"""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Depends, FastAPI, Response
from fastapi.security import HTTPBearer
from fastapi_offline import FastAPIOffline
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.middleware.trustedhost import TrustedHostMiddleware

from odahu_argo import __version__
from odahu_argo.server.auth import Guard
from odahu_argo.server.errors import answer_faults
from odahu_argo.server.metrics import Measured, Measurements
from odahu_argo.server.pages import page_routes
from odahu_argo.server.routes import connection_routes, toolchain_routes, training_routes
from odahu_argo.server.schemas import FAULTS, manifest_schemas
from odahu_argo.server.source import Source

LOOPBACK = ("127.0.0.1", "localhost", "[::1]", "::1")


def build_app(source: Source, guard: Guard) -> FastAPI:
    """The application.

    Where no token is asked for, only requests that were addressed to loopback are answered, so that no page of another
    site can reach it through the user's browser (DNS rebinding).
    """
    app: FastAPI = FastAPIOffline(
        docs_url="/swagger/index.html",
        redoc_url=None,
        static_url="/swagger/static",
        swagger_ui_oauth2_redirect_url="/swagger/oauth2-redirect.html",
        title="odahu-argo",
        version=__version__,
        description="ODAHU's API for trainings, on Argo Workflows.",
    )
    _add_api(app, source, guard)
    app.include_router(page_routes(source.views, guard))
    app.include_router(_open_routes(measurements := Measurements()))
    answer_faults(app)
    _complete_document(app)
    if guard.is_open:
        app.add_middleware(TrustedHostMiddleware, allowed_hosts=list(LOOPBACK), www_redirect=False)
    app.add_middleware(Measured, measurements=measurements)
    return app


def _add_api(app: FastAPI, source: Source, guard: Guard) -> None:
    """ODAHU's routes, each behind the guard."""
    documented = [Depends(HTTPBearer(auto_error=False))] if not guard.is_open else []
    routers = (
        training_routes(source.trainings),
        connection_routes(source.connections),
        toolchain_routes(source.toolchains),
    )
    for router in routers:
        app.include_router(router, dependencies=[Depends(guard.let_in), *documented], responses=FAULTS)


def _open_routes(measurements: Measurements) -> APIRouter:
    """What needs no token."""
    router = APIRouter(tags=["Server"])

    @router.get("/health")
    async def health() -> dict[str, str]:
        """An empty object while the server answers."""
        return {}

    @router.get(
        "/metrics",
        response_class=Response,
        responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
    )
    async def metrics() -> Response:
        """How often and how long each route was asked, as Prometheus reads it."""
        return Response(measurements.told(), media_type=CONTENT_TYPE_LATEST)

    return router


def _complete_document(app: FastAPI) -> None:
    """The OpenAPI document with the manifests that bodies refer to, and without 422, which is 400 here as in ODAHU."""
    generate = app.openapi

    def openapi() -> dict[str, Any]:
        document = generate()
        schemas = document["components"]["schemas"]
        schemas |= manifest_schemas()
        for name in ("HTTPValidationError", "ValidationError"):
            schemas.pop(name, None)
        for operations in document["paths"].values():
            for operation in operations.values():
                operation["responses"].pop("422", None)
        return document

    app.openapi = openapi  # type: ignore[method-assign]
