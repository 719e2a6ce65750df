"""How often and how long each route was asked, for Prometheus."""

from __future__ import annotations

from time import perf_counter

from prometheus_client import CollectorRegistry, Histogram, generate_latest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}


class Measurements:
    """The counts of one application. Labels have few values, whatever clients send."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        labels = ("method", "route", "status")
        help_text = "Until the answer begins."
        self._seconds = Histogram("odahu_argo_http_request_seconds", help_text, labels, registry=self._registry)

    def note(self, scope: Scope, status: int, seconds: float) -> None:
        """Count one answer."""
        method = scope["method"] if scope["method"] in _METHODS else "other"
        route = getattr(scope.get("route"), "path", "")
        self._seconds.labels(method, route, str(status)).observe(seconds)

    def told(self) -> bytes:
        """All counts in Prometheus' text format."""
        return generate_latest(self._registry)


class Measured:
    """The application, each of its answers counted when it begins; one that breaks down before that counts as 500."""

    def __init__(self, app: ASGIApp, measurements: Measurements) -> None:
        self._app = app
        self._measurements = measurements

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer as ASGI asks."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began, has_begun = perf_counter(), False

        def note(status: int) -> None:
            nonlocal has_begun
            has_begun = True
            self._measurements.note(scope, status, perf_counter() - began)

        async def noting(message: Message) -> None:
            if message["type"] == "http.response.start":
                note(message["status"])
            await send(message)

        try:
            await self._app(scope, receive, noting)
        except Exception:
            if not has_begun:
                note(500)
            raise
