"""The pages: HTML for people, beside the API. They only read, so that no page of another site can do anything by them."""

from __future__ import annotations

from collections.abc import Callable
from threading import Event
from typing import Annotated
from urllib.parse import parse_qs, urlsplit

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response, StreamingResponse

from odahu_argo import templates
from odahu_argo.errors import NotFound, OdahuArgoError, ServiceFault
from odahu_argo.server.auth import Guard
from odahu_argo.server.errors import NotAuthenticated, require_possible, status_code
from odahu_argo.server.streaming import streamed
from odahu_argo.web import render
from odahu_argo.web.model import LogLine, Views
from odahu_argo.web.text import LONGEST_LINE, shown

COOKIE = "odahu-argo-token"
LARGEST_FORM = 16 * 1024
"""Bytes; tokens of OpenID providers are some thousand long."""
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src data:; "
        "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}
_FILES = {"style.css": "text/css; charset=utf-8", "script.js": "text/javascript; charset=utf-8"}
_TITLES = {404: "Not found", 503: "Out of reach", 403: "Not allowed"}
_TRY_AGAIN = "10"
"""Seconds."""


def page_routes(views: Views, guard: Guard) -> APIRouter:
    """The list, the page of each training, their changing parts, the log as text, and the way in.

    The bearer token is kept in a cookie that no script can read and that no other site's request carries; the API takes no
    cookie.
    """
    router = APIRouter(include_in_schema=False)

    def answered(request: Request, make: Callable[[], bytes]) -> Response:
        """The page; who is not let in is asked for the token, and what goes wrong is told as a page."""
        try:
            guard.check(_authorization(request))
            return HTMLResponse(make(), headers=HEADERS)
        except NotAuthenticated:
            return HTMLResponse(render.sign_in_page(_path(request), is_wrong=False), 401, HEADERS)
        except OdahuArgoError as error:
            return _problem(error, status_code(error), views, guard)

    @router.get("/")
    def trainings_page(request: Request, state: State = "", page: Page = 1) -> Response:
        return answered(
            request,
            lambda: render.trainings_page(views.all(), views.start, state, page, **_layout(views, guard)),
        )

    @router.get("/page/trainings")
    def trainings_part(request: Request, state: State = "", page: Page = 1) -> Response:
        return answered(request, lambda: render.trainings_part(views.all(), views.start, state, page))

    @router.get("/trainings/{id}")
    def training_page(request: Request, id: str) -> Response:
        return answered(
            request, lambda: render.training_page(views.training(require_possible(id)), **_layout(views, guard))
        )

    @router.get("/page/trainings/{id}")
    def training_part(request: Request, id: str) -> Response:
        return answered(request, lambda: render.training_part(views.training(require_possible(id), whole=False)))

    @router.get("/trainings/{id}/log")
    def log(request: Request, id: str, follow: bool = False) -> Response:
        try:
            guard.check(_authorization(request))
            lines = views.log(require_possible(id), follow, is_over := Event())
        except OdahuArgoError as error:
            return Response(error.problems[0].message, status_code(error), HEADERS, "text/plain; charset=utf-8")
        told = (_told(line, LONGEST_LINE if follow else None) for line in lines)
        return StreamingResponse(streamed(told, is_over), 200, HEADERS, "text/plain; charset=utf-8")

    @router.get("/page/{name}")
    def file(name: str) -> Response:
        if name not in _FILES:
            raise NotFound("there is no such file")
        return Response(templates.read(f"page/{name}"), media_type=_FILES[name], headers={"Cache-Control": "no-cache"})

    @router.post("/sign-in")
    async def sign_in(request: Request) -> Response:
        form = parse_qs((await _body(request)).decode("utf-8", "replace"))
        token, path = form.get("token", [""])[0].strip(), _own_path(form.get("path", ["/"])[0])
        try:
            _require_own_page(request)
            guard.check(f"Bearer {token}")
        except NotAuthenticated:
            return HTMLResponse(render.sign_in_page(path, is_wrong=True), 401, HEADERS)
        except ServiceFault as error:
            return _problem(error, status_code(error), views, guard)
        answer = RedirectResponse(path, 303, HEADERS)
        answer.set_cookie(COOKIE, token, path="/", secure=_is_secure(request), httponly=True, samesite="strict")
        return answer

    @router.post("/sign-out")
    def sign_out() -> Response:
        answer = RedirectResponse("/", 303, HEADERS)
        answer.delete_cookie(COOKIE, path="/", httponly=True, samesite="strict")
        return answer

    return router


State = Annotated[str, Query(max_length=20)]
Page = Annotated[int, Query(ge=1, le=10**6)]


def _authorization(request: Request) -> str | None:
    """The header, as the API's callers send it, else what the cookie keeps."""
    token = request.cookies.get(COOKIE)
    return request.headers.get("authorization") or (f"Bearer {token}" if token else None)


def _layout(views: Views, guard: Guard) -> dict[str, object]:
    return {"place": views.place, "is_signed_in": not guard.is_open}


def _problem(error: OdahuArgoError, code: int, views: Views, guard: Guard) -> Response:
    problem = error.problems[0]
    again = {"Refresh": _TRY_AGAIN} if code == 503 else {}
    title = _TITLES.get(code, "Something is wrong")
    body = render.problem_page(title, problem.message, problem.hint or "", **_layout(views, guard))
    return HTMLResponse(body, code, {**HEADERS, **again})


def _told(line: LogLine | str, longest: int | None) -> str:
    return shown(f"{line.step} | {line.text}" if isinstance(line, LogLine) else line, longest)


def _path(request: Request) -> str:
    return request.url.path + (f"?{request.url.query}" if request.url.query else "")


def _own_path(path: str) -> str:
    """The path where it is one of ours; a form must not lead to another site."""
    is_ours = path.startswith("/") and not path.startswith(("//", "/\\")) and path.isprintable() and path.isascii()
    return path if is_ours else "/"


def _require_own_page(request: Request) -> None:
    """See that the form was sent by our own page: browsers tell where a form comes from.

    Raises:
        NotAuthenticated: it was not.
    """
    origin = request.headers.get("origin")
    if origin not in (None, "null") and urlsplit(origin).netloc != request.headers.get("host"):
        raise NotAuthenticated("the form was sent by another site")


def _is_secure(request: Request) -> bool:
    return request.url.scheme == "https" or request.headers.get("x-forwarded-proto") == "https"


async def _body(request: Request) -> bytes:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > LARGEST_FORM:
            return b""
    return bytes(body)
