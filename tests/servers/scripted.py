"""An HTTP server with predefined responses, for responses that a real Kubernetes API does not send on request."""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True)
class Answer:
    """`body` is sent as JSON, or unchanged if it is bytes. `length` overrides the Content-Length."""

    code: int
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    length: int | None = None


def status(code: int, reason: str, message: str = "", **details: Any) -> Answer:
    """Return a response with a Kubernetes `Status`."""
    body = {"kind": "Status", "status": "Failure", "reason": reason, "message": message, "details": details}
    return Answer(code, {**body, "code": code})


@dataclass
class Scripted:
    address: str
    answers: list[Answer]
    requests: list[tuple[str, str]] = field(default_factory=list)
    """Method and path of each request."""
    authorizations: list[str | None] = field(default_factory=list)
    """The Authorization header of each request."""
    headers: list[list[tuple[str, str]]] = field(default_factory=list)
    """All headers of each request."""


@contextmanager
def answering(*answers: Answer, tls: ssl.SSLContext | None = None) -> Iterator[Scripted]:
    """Send these responses in order, and repeat the last one."""

    class Handler(BaseHTTPRequestHandler):
        def handle_any(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            scripted.requests.append((self.command, self.path))
            scripted.authorizations.append(self.headers.get("Authorization"))
            scripted.headers.append(list(self.headers.items()))
            answer = scripted.answers.pop(0) if len(scripted.answers) > 1 else scripted.answers[0]
            body = answer.body if isinstance(answer.body, bytes) else json.dumps(answer.body).encode()
            self.send_response(answer.code)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(answer.length or len(body)))
            self.send_header("Connection", "close")
            self.end_headers()
            self.wfile.write(body)
            self.close_connection = True

        do_GET = do_POST = do_PATCH = do_PUT = do_DELETE = handle_any

        def log_message(self, format: str, *args: Any) -> None:
            """Silent."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.handle_error = lambda *_: None  # type: ignore[method-assign]
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    scheme = "http" if tls is None else "https"
    scripted = Scripted(f"{scheme}://127.0.0.1:{server.server_port}", list(answers))
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield scripted
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
