"""The FastAPI application: ODAHU's routes, pages, health, metrics and Swagger UI.

Routes, bodies and status codes follow odahu-flow 1.6, packages/operator/pkg/apiserver/routes. docs/reference/api.md lists the
differences.
"""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Depends, FastAPI, Response
from fastapi.security import HTTPBearer
from fastapi_offline import FastAPIOffline
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.middleware.trustedhost import TrustedHostMiddleware

from odahu_argo import __version__
from odahu_argo.backends.base import Backend
from odahu_argo.backends.streaming import LogStreams
from odahu_argo.server.auth import Guard
from odahu_argo.server.errors import add_error_handlers
from odahu_argo.server.headers import SecurityHeadersMiddleware
from odahu_argo.server.metrics import MetricsMiddleware, RequestMetrics
from odahu_argo.server.pages import page_routes
from odahu_argo.server.routes import connection_routes, toolchain_routes, training_routes
from odahu_argo.server.schemas import ERROR_RESPONSES, manifest_schemas

LOOPBACK = ("127.0.0.1", "localhost", "[::1]", "::1")


def build_app(backend: Backend, guard: Guard) -> FastAPI:
    """Return the application.

    A personal server answers only requests whose Host header is a loopback address. This prevents DNS rebinding: a page of
    another site cannot reach it through the user's browser.
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
    logs = LogStreams()
    _add_api(app, backend, guard, logs)
    app.include_router(page_routes(backend, guard, logs))
    app.include_router(_server_routes(metrics := RequestMetrics()))
    add_error_handlers(app)
    _extend_openapi(app)
    if guard.is_personal:
        app.add_middleware(TrustedHostMiddleware, allowed_hosts=list(LOOPBACK), www_redirect=False)
    app.add_middleware(MetricsMiddleware, metrics=metrics)
    app.add_middleware(SecurityHeadersMiddleware)
    return app


def _add_api(app: FastAPI, backend: Backend, guard: Guard, logs: LogStreams) -> None:
    documented = [Depends(HTTPBearer(auto_error=False))] if not guard.trusts_socket else []
    routers = (
        training_routes(backend.trainings, logs),
        connection_routes(backend.connections),
        toolchain_routes(backend.toolchains),
    )
    for router in routers:
        app.include_router(router, dependencies=[Depends(guard.authenticate), *documented], responses=ERROR_RESPONSES)


def _server_routes(metrics: RequestMetrics) -> APIRouter:
    """Return the routes that need no token."""
    router = APIRouter(tags=["Server"])

    @router.get("/health")
    async def health() -> dict[str, str]:
        """Return an empty object while the server is running."""
        return {}

    @router.get(
        "/metrics",
        response_class=Response,
        responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
    )
    async def prometheus_metrics() -> Response:
        """Return the number and duration of requests per route in Prometheus' text format."""
        return Response(metrics.to_text(), media_type=CONTENT_TYPE_LATEST)

    return router


def _extend_openapi(app: FastAPI) -> None:
    """Add the manifests to the OpenAPI document, and drop status 422, for which ODAHU and this server use 400."""
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
