"""MLflow's server with artifacts streamed below a prefix too: `mlflow server --app-name odahu-argo`.

MLflow 3.17 serves artifacts chunk by chunk at `/api/2.0/mlflow-artifacts/artifacts/` only. Below `--static-prefix` an older
handler takes them, which holds a whole file twice in memory.
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from mlflow.server.fastapi_app import app as mlflow_app
from mlflow.server.handlers import STATIC_PREFIX_ENV_VAR

Scope = MutableMapping[str, Any]
Application = Callable[[Scope, Any, Any], Awaitable[None]]
STREAMED = ("/api/2.0/mlflow-artifacts/artifacts/", "/ajax-api/2.0/mlflow-artifacts/artifacts/")


class WithoutPrefix:
    """An application that is asked for the paths of `STREAMED` without the prefix before them, for all others as they are."""

    def __init__(self, inner: Application, prefix: str):
        self.inner = inner
        self.prefix = prefix.rstrip("/")

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:
        """Answer one request, as ASGI has it (https://asgi.readthedocs.io/en/latest/specs/www.html)."""
        path = scope.get("path", "")
        if self.prefix and path.startswith(tuple(self.prefix + each for each in STREAMED)):
            raw = scope.get("raw_path") or b""
            scope = {
                **scope,
                "path": path.removeprefix(self.prefix),
                "raw_path": raw.removeprefix(self.prefix.encode()),
            }
        await self.inner(scope, receive, send)


app = WithoutPrefix(mlflow_app, os.environ.get(STATIC_PREFIX_ENV_VAR, ""))
