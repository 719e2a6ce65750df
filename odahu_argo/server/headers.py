"""Response headers: those of every response, and warnings."""

from __future__ import annotations

import re
from collections.abc import Sequence

from starlette.datastructures import MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from odahu_argo.errors import Problem

SECURITY_HEADERS = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
"""Responses may contain secrets, which no cache may store, and text of users, which no browser may run as another type."""
MAX_WARNINGS = 20
MAX_WARNING_LENGTH = 200


def add_warnings(response: Response, warnings: Sequence[Problem]) -> None:
    """Add a header `Warning: 299 - "…"` for each warning, as the Kubernetes API does.

    Source: https://kubernetes.io/blog/2020/09/03/warnings/
    """
    for warning in warnings[:MAX_WARNINGS]:
        printable = re.sub(r"[^ -~]|[\"\\]", "'", warning.text_with_field)[:MAX_WARNING_LENGTH]
        response.headers.append("Warning", f'299 - "{printable}"')


class SecurityHeadersMiddleware:
    """ASGI middleware that adds `SECURITY_HEADERS` unless a route has set them."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one ASGI connection."""

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in SECURITY_HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        await self._app(scope, receive, send_with_headers if scope["type"] == "http" else send)
