"""The API: ODAHU's routes and answers, health, metrics and Swagger UI.

Routes, bodies and status codes are those of odahu-flow 1.6, packages/operator/pkg/apiserver/routes; docs/server.md tells
where they differ.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from time import perf_counter

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi_offline import FastAPIOffline
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Histogram, generate_latest
from starlette.exceptions import HTTPException
from starlette.middleware.trustedhost import TrustedHostMiddleware

from odahu_argo import __version__
from odahu_argo.errors import OdahuArgoError, Problem, ServiceFault, UserError
from odahu_argo.server.guard import Guard, NotAuthenticated
from odahu_argo.server.routes import training_routes
from odahu_argo.server.source import NotAllowed, Trainings
from odahu_argo.submit.cluster import AlreadyExists, Conflict, Denied, NotFound

STATUS_CODES: tuple[tuple[type[OdahuArgoError], int], ...] = (
    (NotAuthenticated, 401),
    (Denied, 403),
    (NotFound, 404),
    (NotAllowed, 405),
    (AlreadyExists, 409),
    (Conflict, 409),
    (UserError, 400),
    (ServiceFault, 503),
    (OdahuArgoError, 500),
)
"""The first that fits counts."""
LOOPBACK = ("127.0.0.1", "localhost", "[::1]", "::1")


def build_app(trainings: Trainings, guard: Guard) -> FastAPI:
    """The application.

    Where no token is asked for, only requests that were addressed to loopback are answered, so that no page of another
    site can reach it through the user's browser (DNS rebinding).
    """
    app: FastAPI = FastAPIOffline(
        docs_url="/swagger/index.html",
        redoc_url=None,
        static_url="/swagger/static",
        title="odahu-argo",
        version=__version__,
        description="ODAHU's API for trainings, on Argo Workflows.",
    )
    app.include_router(training_routes(trainings, guard))
    _answer_errors(app)
    _health(app)
    _measure(app)
    if guard.is_open:
        app.add_middleware(TrustedHostMiddleware, allowed_hosts=list(LOOPBACK), www_redirect=False)
    return app


def _health(app: FastAPI) -> None:
    @app.get("/health", tags=["Server"])
    async def health() -> dict[str, str]:
        """An empty object while the server answers."""
        return {}


def _measure(app: FastAPI) -> None:
    registry = CollectorRegistry()
    labels = ("method", "route", "status")
    seconds = Histogram("odahu_argo_http_request_seconds", "Until the answer begins.", labels, registry=registry)

    @app.middleware("http")
    async def observe(request: Request, answer: Callable[[Request], Awaitable[Response]]) -> Response:
        began = perf_counter()
        response = await answer(request)
        route = getattr(request.scope.get("route"), "path", "")
        seconds.labels(request.method, route, str(response.status_code)).observe(perf_counter() - began)
        return response

    @app.get("/metrics", tags=["Server"], response_class=Response)
    async def metrics() -> Response:
        """How often and how long each route was asked, as Prometheus reads it."""
        return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)


def _answer_errors(app: FastAPI) -> None:
    @app.exception_handler(OdahuArgoError)
    async def ours(_: Request, error: OdahuArgoError) -> JSONResponse:
        code = next(code for kind, code in STATUS_CODES if isinstance(error, kind))
        headers = {401: {"WWW-Authenticate": "Bearer"}, 405: {"Allow": "GET"}}.get(code)
        return _message(code, "\n".join(map(_told, error.problems)), headers)

    @app.exception_handler(RequestValidationError)
    async def malformed(_: Request, error: RequestValidationError) -> JSONResponse:
        told = [f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors()]
        return _message(400, "\n".join(told))

    @app.exception_handler(HTTPException)
    async def http(_: Request, error: HTTPException) -> JSONResponse:
        return _message(error.status_code, str(error.detail), error.headers)

    @app.exception_handler(Exception)
    async def unexpected(_: Request, error: Exception) -> JSONResponse:
        return _message(500, f"unexpected {type(error).__name__}; the server's log says more")


def _told(problem: Problem) -> str:
    text = f"{problem.where.field}: {problem.message}" if problem.where.field else problem.message
    return f"{text} ({problem.hint})" if problem.hint else text


def _message(code: int, text: str, headers: object = None) -> JSONResponse:
    """ODAHU's form of an error (httputil.HTTPResult)."""
    return JSONResponse({"message": text}, code, headers=headers if isinstance(headers, dict) else None)
