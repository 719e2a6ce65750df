"""Errors as answers: ODAHU's form `{"message": …}` with its status codes, and the problems one by one."""

from __future__ import annotations

from collections.abc import Sequence

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.routing import Match

from odahu_argo.errors import (
    AlreadyExists,
    Conflict,
    Forbidden,
    NotFound,
    OdahuArgoError,
    Problem,
    ServiceFault,
    UserError,
)
from odahu_argo.naming import LABEL_PATTERN


class NotAuthenticated(UserError):
    """No token, or one that is not accepted."""


class NotPermitted(UserError):
    """The caller is known, and may not do this."""


class NotAllowed(UserError):
    """What the server stands on cannot do this at all."""


class TooLarge(UserError):
    """The body is longer than any manifest."""


STATUS_CODES: tuple[tuple[type[OdahuArgoError], int], ...] = (
    (NotAuthenticated, 401),
    (NotPermitted, 403),
    (Forbidden, 403),
    (NotFound, 404),
    (NotAllowed, 405),
    (AlreadyExists, 409),
    (Conflict, 409),
    (TooLarge, 413),
    (UserError, 400),
    (ServiceFault, 503),
    (OdahuArgoError, 500),
)
"""The first that fits counts."""


def status_code(error: OdahuArgoError) -> int:
    """What HTTP calls the error."""
    return next(code for kind, code in STATUS_CODES if isinstance(error, kind))


def require_possible(training_id: str) -> str:
    """The id, where there can be a training of it: it goes into names and label selectors.

    Raises:
        NotFound: no training can be called so.
    """
    if not LABEL_PATTERN.fullmatch(training_id):
        raise NotFound(f"there is no training {training_id[:63]!r}")
    return training_id


METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")


def answer_faults(app: FastAPI) -> None:
    """Let the application answer every error in that form."""

    @app.exception_handler(OdahuArgoError)
    async def ours(_: Request, error: OdahuArgoError) -> JSONResponse:
        code = status_code(error)
        headers = {401: {"WWW-Authenticate": "Bearer"}, 405: {"Allow": "GET"}}.get(code)
        return _message(code, "\n".join(map(_told, error.problems)), headers, error.problems)

    @app.exception_handler(RequestValidationError)
    async def malformed(_: Request, error: RequestValidationError) -> JSONResponse:
        told = [f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors()]
        return _message(400, "\n".join(told))

    @app.exception_handler(HTTPException)
    async def http(request: Request, error: HTTPException) -> JSONResponse:
        headers = {"Allow": _allowed(request)} if error.status_code == 405 else error.headers
        return _message(error.status_code, str(error.detail), headers)

    @app.exception_handler(Exception)
    async def unexpected(_: Request, error: Exception) -> JSONResponse:
        return _message(500, f"unexpected {type(error).__name__}; the server's log says more")


def _allowed(request: Request) -> str:
    """The methods of all routes that have this path (RFC 9110, section 10.2.1); Starlette names those of the first."""

    def is_there(method: str) -> bool:
        scope = {**request.scope, "method": method}
        return any(route.matches(scope)[0] is Match.FULL for route in request.app.routes)

    return ", ".join(filter(is_there, METHODS))


def _told(problem: Problem) -> str:
    text = f"{problem.where.field}: {problem.message}" if problem.where.field else problem.message
    return f"{text} ({problem.hint})" if problem.hint else text


def _message(code: int, text: str, headers: object = None, problems: Sequence[Problem] = ()) -> JSONResponse:
    """ODAHU's form of an error (httputil.HTTPResult), and each problem by its parts."""
    parts = [{"field": each.where.field, "message": each.message, "hint": each.hint} for each in problems]
    content = {"message": text, **({"problems": parts} if parts else {})}
    return JSONResponse(content, code, headers=headers if isinstance(headers, dict) else None)
