"""MLflow's server with streamed artifacts below a path prefix: `mlflow server --app-name odahu-argo`.

MLflow 3.17 streams artifacts only at `/api/2.0/mlflow-artifacts/artifacts/`. With `--static-prefix`, requests reach an older
handler, which keeps two copies of the whole file in memory.
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from mlflow.server.fastapi_app import app as mlflow_app
from mlflow.server.handlers import STATIC_PREFIX_ENV_VAR

Scope = MutableMapping[str, Any]
Application = Callable[[Scope, Any, Any], Awaitable[None]]
STREAMED_PATHS = ("/api/2.0/mlflow-artifacts/artifacts/", "/ajax-api/2.0/mlflow-artifacts/artifacts/")


class PrefixStripper:
    """ASGI middleware that removes the path prefix from requests for `STREAMED_PATHS`, and passes on all others unchanged."""

    def __init__(self, inner: Application, prefix: str):
        self.inner = inner
        self.prefix = prefix.rstrip("/")

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:
        """Handle a request (https://asgi.readthedocs.io/en/latest/specs/www.html)."""
        path = scope.get("path", "")
        if self.prefix and path.startswith(tuple(self.prefix + streamed for streamed in STREAMED_PATHS)):
            raw_path = scope.get("raw_path") or b""
            scope = {
                **scope,
                "path": path.removeprefix(self.prefix),
                "raw_path": raw_path.removeprefix(self.prefix.encode()),
            }
        await self.inner(scope, receive, send)


app = PrefixStripper(mlflow_app, os.environ.get(STATIC_PREFIX_ENV_VAR, ""))
