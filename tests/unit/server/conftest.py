from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
import uvicorn

from odahu_argo.backends.base import Backend
from odahu_argo.server.app import build_app
from odahu_argo.server.auth import Guard
from tests.servers.api import ApiClient

TOKEN = "0123456789abcdef"


@pytest.fixture
def serve() -> Iterator[Callable[..., ApiClient]]:
    """Serve a backend in a thread of this process and return a client, with a token unless a guard is given."""
    with ExitStack() as stack:

        def start(backend: Backend, guard: Guard | None = None) -> ApiClient:
            listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
            server = uvicorn.Server(uvicorn.Config(build_app(backend, guard or Guard(TOKEN)), log_level="warning"))
            thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
            thread.start()
            stack.callback(thread.join)
            stack.callback(setattr, server, "should_exit", True)
            url = f"http://127.0.0.1:{listener.getsockname()[1]}"
            return stack.enter_context(ApiClient(url, None if guard else TOKEN))

        yield start
