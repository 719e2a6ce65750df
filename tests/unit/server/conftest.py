from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
import requests
import uvicorn

from odahu_argo.backends.base import Backend
from odahu_argo.server.app import build_app
from odahu_argo.server.auth import Guard


class ApiClient(requests.Session):
    """A session that prefixes paths with the URL of a server and does not follow redirects."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self.url = url

    def request(self, method: str, path: Any, *args: Any, **options: Any) -> requests.Response:  # type: ignore[override]
        return super().request(method, f"{self.url}{path}", *args, **{"allow_redirects": False, **options})


@pytest.fixture
def serve() -> Iterator[Callable[..., ApiClient]]:
    """Serve a backend in a thread of this process and return a client."""
    with ExitStack() as stack:

        def start(backend: Backend, guard: Guard | None = None) -> ApiClient:
            listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
            server = uvicorn.Server(uvicorn.Config(build_app(backend, guard or Guard()), log_level="warning"))
            thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
            thread.start()
            stack.callback(thread.join)
            stack.callback(setattr, server, "should_exit", True)
            return stack.enter_context(ApiClient(f"http://127.0.0.1:{listener.getsockname()[1]}"))

        yield start
