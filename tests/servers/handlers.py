"""An HTTP server with a request handler of the test."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ssl import SSLContext
from threading import Thread


@contextmanager
def serving_by(
    handler: type[BaseHTTPRequestHandler], tls: SSLContext | None = None, address: str = "127.0.0.1"
) -> Iterator[str]:
    """Run a server and yield its URL. At the end, do not wait for active requests."""
    with ThreadingHTTPServer((address, 0), handler) as server:
        if tls:
            server.socket = tls.wrap_socket(server.socket, server_side=True)
        serving = Thread(target=server.serve_forever)
        serving.start()
        try:
            yield f"{'https' if tls else 'http'}://{address}:{server.server_port}"
        finally:
            server.shutdown()
            serving.join()
