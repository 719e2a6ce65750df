"""The web pages. They only read: no page of another site can change anything through them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated
from urllib.parse import parse_qs, urlsplit

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from starlette.concurrency import run_in_threadpool

from odahu_argo import templates
from odahu_argo.backends.base import Backend
from odahu_argo.backends.operations import live_details, require_valid_id, training_details
from odahu_argo.backends.streaming import LogStreams
from odahu_argo.errors import NotFound, OdahuArgoError, ServiceFault
from odahu_argo.server.auth import Guard
from odahu_argo.server.errors import NotAuthenticated
from odahu_argo.server.log_response import MEDIA_TYPE, LogResponse, open_log
from odahu_argo.trainings.selection import PageRequest, TrainingFilter, TrainingPage
from odahu_argo.web import render
from odahu_argo.web.text import MAX_LINE, displayable

COOKIE = "odahu-argo-token"
MAX_FORM_BYTES = 16 * 1024
"""Tokens of OpenID providers have a few thousand bytes."""
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src data:; "
        "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}
RETRY_SECONDS = 10
_FILES = {"style.css": "text/css; charset=utf-8", "script.js": "text/javascript; charset=utf-8"}
_TITLES = {403: "Forbidden", 404: "Not found", 503: "Service unavailable"}

StateParameter = Annotated[str, Query(max_length=20)]
PageParameter = Annotated[int, Query(ge=1, le=10**6)]


def page_routes(backend: Backend, guard: Guard, logs: LogStreams) -> APIRouter:
    """Return the routes of the list, the training pages, their refreshing parts, the log as text, and sign-in.

    Signing in stores a cookie that scripts cannot read and that requests from other sites do not carry. The API ignores the
    cookie. The start page of a server with a generated token also accepts the token in its URL.
    """
    router = APIRouter(include_in_schema=False)
    layout = {"location": backend.info.location, "is_signed_in": not guard.trusts_socket}

    async def respond(request: Request, render_page: Callable[[], bytes]) -> Response:
        """Return the page, the sign-in form, or an error page."""
        try:
            await check_viewer(request)
            return HTMLResponse(await run_in_threadpool(render_page), headers=HEADERS)
        except NotAuthenticated:
            return HTMLResponse(render.sign_in_page(_path(request), is_wrong=False), 401, HEADERS)
        except OdahuArgoError as error:
            return error_page(error)

    async def check_viewer(request: Request) -> None:
        await guard.check_viewer(request.headers.get("authorization"), request.cookies.get(_cookie_name(request)))

    def signed_in(request: Request, token: str, path: str) -> Response:
        response = RedirectResponse(path, 303, HEADERS)
        secure = _is_secure(request)
        value = guard.cookie(token)
        response.set_cookie(_cookie_name(request), value, path="/", secure=secure, httponly=True, samesite="strict")
        return response

    def error_page(error: OdahuArgoError) -> Response:
        problem, code = error.problems[0], error.http_status
        refresh = {"Refresh": str(RETRY_SECONDS)} if code == 503 else {}
        body = render.problem_page(_TITLES.get(code, "Error"), problem.message, problem.hint or "", **layout)
        return HTMLResponse(body, code, {**HEADERS, **refresh})

    @router.get("/")
    async def trainings_page(
        request: Request, state: StateParameter = "", page: PageParameter = 1, token: str = ""
    ) -> Response:
        def render_page() -> bytes:
            command = backend.info.create_command
            return render.trainings_page(_select(backend, state, page), command, state, **layout)

        if token and guard.is_generated:
            try:
                await guard.check(f"Bearer {token}")
            except NotAuthenticated:
                return HTMLResponse(render.sign_in_page("/", is_wrong=True), 401, HEADERS)
            return signed_in(request, token, "/")
        return await respond(request, render_page)

    @router.get("/page/trainings")
    async def trainings_part(request: Request, state: StateParameter = "", page: PageParameter = 1) -> Response:
        def render_page() -> bytes:
            return render.trainings_part(_select(backend, state, page), backend.info.create_command, state)

        return await respond(request, render_page)

    @router.get("/trainings/{id}")
    async def training_page(request: Request, id: str) -> Response:
        def render_page() -> bytes:
            return render.training_page(training_details(backend, require_valid_id(id)), **layout)

        return await respond(request, render_page)

    @router.get("/page/trainings/{id}")
    async def training_part(request: Request, id: str) -> Response:
        return await respond(request, lambda: render.training_part(live_details(backend, require_valid_id(id))))

    @router.get("/trainings/{id}/log")
    async def log(request: Request, id: str, follow: bool = False) -> Response:
        try:
            await check_viewer(request)
            reader = await open_log(logs, backend.trainings, require_valid_id(id), follow)
        except OdahuArgoError as error:
            return Response(error.problems[0].message, error.http_status, HEADERS, MEDIA_TYPE)
        return LogResponse(reader, HEADERS, lambda line: displayable(line, MAX_LINE if follow else None))

    @router.get("/page/{name}")
    async def static_file(name: str) -> Response:
        if name not in _FILES:
            raise NotFound("the file does not exist")
        return Response(templates.read(f"page/{name}"), media_type=_FILES[name], headers={"Cache-Control": "no-cache"})

    @router.post("/sign-in")
    async def sign_in(request: Request) -> Response:
        form = parse_qs((await _read_form(request)).decode("utf-8", "replace"))
        token, path = form.get("token", [""])[0].strip(), _safe_path(form.get("path", ["/"])[0])
        try:
            _require_same_origin(request)
            await guard.check(f"Bearer {token}")
        except NotAuthenticated:
            return HTMLResponse(render.sign_in_page(path, is_wrong=True), 401, HEADERS)
        except ServiceFault as error:
            return error_page(error)
        return signed_in(request, token, path)

    @router.post("/sign-out")
    async def sign_out(request: Request) -> Response:
        response = RedirectResponse("/", 303, HEADERS)
        response.delete_cookie(_cookie_name(request), path="/", httponly=True, samesite="strict")
        return response

    return router


def _cookie_name(request: Request) -> str:
    """Return a name with the server's port: browsers share cookies between the ports of a host."""
    _, port = request.scope.get("server") or ("", None)
    return f"{COOKIE}-{port}" if port else COOKIE


def _select(backend: Backend, state: str, page: int) -> TrainingPage:
    """Return a page of the trainings, newest first, or of those in `state` if it is not empty."""
    selection = TrainingFilter(states=(state,) if state else ())
    request = PageRequest(page, render.PAGE_SIZE, is_newest_first=True, is_summary=True, allows_outdated=True)
    return backend.trainings.page(selection, request)


def _path(request: Request) -> str:
    return request.url.path + (f"?{request.url.query}" if request.url.query else "")


def _safe_path(path: str) -> str:
    """Return the path if it is on this server. A form must not redirect to another site."""
    is_local = path.startswith("/") and not path.startswith(("//", "/\\")) and path.isprintable() and path.isascii()
    return path if is_local else "/"


def _require_same_origin(request: Request) -> None:
    """Raise NotAuthenticated if the form comes from another site, according to the Origin header."""
    origin = request.headers.get("origin")
    if origin not in (None, "null") and urlsplit(origin).netloc != request.headers.get("host"):
        raise NotAuthenticated("the form comes from another site")


def _is_secure(request: Request) -> bool:
    return request.url.scheme == "https" or request.headers.get("x-forwarded-proto") == "https"


async def _read_form(request: Request) -> bytes:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_FORM_BYTES:
            return b""
    return bytes(body)
