"""Errors as HTTP responses: ODAHU's `{"message": …}` with its status codes, and the list of problems."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.routing import Match

from odahu_argo.errors import OdahuArgoError, Problem, UserError
from odahu_argo.odahu_api import USER_AGENT
from odahu_argo.server.headers import SECURITY_HEADERS
from odahu_argo.server.odahu_errors import neutral_hint, odahu_message

HEADERS = {401: {"WWW-Authenticate": "Bearer"}, 405: {"Allow": "GET"}, 429: {"Retry-After": "5"}}
"""Headers of responses with an error, by status code."""
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")


class NotAuthenticated(UserError):
    """The request has no token, or one that is not valid."""

    http_status = 401


class NotPermitted(UserError):
    """The caller is authenticated but may not do this."""

    http_status = 403


def is_own_client(request: Request) -> bool:
    """Return whether the caller is odahu-argo's command line, so that hints can name its commands."""
    return request.headers.get("user-agent") == USER_AGENT


def add_error_handlers(app: FastAPI) -> None:
    """Return every error of the application as JSON."""

    @app.exception_handler(OdahuArgoError)
    async def handle_error(request: Request, error: OdahuArgoError) -> JSONResponse:
        problems = error.problems
        if not is_own_client(request):
            problems = tuple(replace(problem, hint=neutral_hint(problem.hint)) for problem in problems)
        return _response(error.http_status, odahu_message(error), HEADERS.get(error.http_status), problems)

    @app.exception_handler(RequestValidationError)
    async def handle_validation_error(_: Request, error: RequestValidationError) -> JSONResponse:
        messages = [f"{'.'.join(map(str, entry['loc']))}: {entry['msg']}" for entry in error.errors()]
        return _response(400, "\n".join(messages))

    @app.exception_handler(HTTPException)
    async def handle_http_exception(request: Request, error: HTTPException) -> JSONResponse:
        headers = {"Allow": _allowed_methods(request)} if error.status_code == 405 else error.headers
        return _response(error.status_code, str(error.detail), headers)

    @app.exception_handler(Exception)
    async def handle_exception(_: Request, error: Exception) -> JSONResponse:
        return _response(500, f"unexpected {type(error).__name__}; see the log of the server")


def _allowed_methods(request: Request) -> str:
    """Return the methods of all routes with this path (RFC 9110, section 10.2.1). Starlette returns those of the first."""

    def is_allowed(method: str) -> bool:
        scope = {**request.scope, "method": method}
        return any(route.matches(scope)[0] is Match.FULL for route in request.app.routes)

    return ", ".join(filter(is_allowed, METHODS))


def _response(code: int, message: str, headers: object = None, problems: Sequence[Problem] = ()) -> JSONResponse:
    """Return an error in ODAHU's form (httputil.HTTPResult), with the problems as an addition."""
    entries = [
        {"field": problem.location.field, "message": problem.message, "hint": problem.hint} for problem in problems
    ]
    content = {"message": message, **({"problems": entries} if entries else {})}
    extra = headers if isinstance(headers, dict) else {}
    return JSONResponse(content, code, {**SECURITY_HEADERS, **extra})
