"""A silent log ends from another thread, with and without TLS."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler

import pytest
import trustme

from odahu_argo.errors import Unreachable
from tests.servers.handlers import serving_by
from tests.unit.kube.conftest import Connect


@pytest.mark.parametrize("has_tls", [False, True])
def test_silent_log_ends_from_another_thread(connected: Connect, has_tls: bool) -> None:
    end_of_test = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            self.wfile.write(b"8\r\nstarted\n\r\n")
            end_of_test.wait()

        def log_message(self, *_: object) -> None:
            pass

    tls = None
    if has_tls:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        trustme.CA().issue_cert("127.0.0.1").configure_cert(tls)
    end_log: list[Callable[[], None]] = []
    has_line = threading.Event()

    def read(url: str) -> None:
        try:
            for _ in connected(url, {}, **{"insecure-skip-tls-verify": True}).pod_log(
                "here", "main", follow=True, on_open=end_log.append
            ):
                has_line.set()
        except Unreachable:
            pass

    with serving_by(Handler, tls) as url:
        reader = threading.Thread(target=read, args=(url,))
        reader.start()
        try:
            assert has_line.wait(30)
            end_log[0]()
            reader.join(30)
            assert not reader.is_alive()
        finally:
            end_of_test.set()
