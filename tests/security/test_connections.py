"""Clients that hold connections without sending complete requests."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import psutil
import pytest

from odahu_argo.local.home import Home
from tests.servers.api import ApiClient, server_process

TRAININGS = "/api/v1/model/training"


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def connect(server: ApiClient, stack: ExitStack, text: str = "") -> socket.socket:
    client = socket.create_connection(("127.0.0.1", int(server.url.rpartition(":")[2])), timeout=60)
    stack.callback(client.close)
    client.sendall(text.encode())
    return client


def is_closed(client: socket.socket) -> bool:
    """Wait until the server closes the connection."""
    try:
        while client.recv(4096):
            pass
    except ConnectionResetError:
        pass
    return True


def half_sent(server: ApiClient) -> dict[str, str]:
    head = f"POST {TRAININGS} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {server.token}\r\n"
    whole = f"GET {TRAININGS} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {server.token}\r\n\r\n"
    return {
        "nothing": "",
        "a part of the request line": "GET /",
        "a part of the headers": head,
        "a part of the body": head + "Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{",
        "a part of a second request": whole + "GET /",
    }


def test_incomplete_requests_are_closed(server: ApiClient, stack: ExitStack) -> None:
    clients = {what: connect(server, stack, text) for what, text in half_sent(server).items()}
    for what, client in clients.items():
        assert is_closed(client), what
    assert server.get(TRAININGS).status_code == 200


def test_requests_in_drips_are_closed(server: ApiClient, stack: ExitStack) -> None:
    client = connect(server, stack, half_sent(server)["a part of the headers"])
    until = time.monotonic() + 60
    with pytest.raises(OSError):
        while time.monotonic() < until:
            client.sendall(b"X: y\r\n")
            time.sleep(0.5)


def test_thousands_of_half_sent_requests_do_not_keep_others_out(home: Home, stack: ExitStack) -> None:
    with (
        server_process("--local", "--port", "0", ODAHU_ARGO_HOME=str(home.root)) as (process, url, token),
        ApiClient(url, token) as server,
    ):
        follower = connect(server, stack, f"GET {TRAININGS}/wine/log HTTP/1.1\r\nHost: localhost\r\n\r\n")
        for _ in range(2):
            for _ in range(400):
                connect(server, stack, half_sent(server)["a part of the headers"])
            for _ in range(10):
                assert server.get(TRAININGS).status_code == 200
        assert len(psutil.Process(process.pid).net_connections()) <= 510
        assert follower.recv(12) == b"HTTP/1.1 401"


def test_large_headers_are_rejected(server: ApiClient, stack: ExitStack) -> None:
    for text in ("GET /" + "x" * 100_000, "GET / HTTP/1.1\r\nHost: localhost\r\nX: " + "y" * 100_000):
        client = connect(server, stack)
        try:
            client.sendall(text.encode())
            answer = client.recv(12)
        except ConnectionError:
            answer = b""
        assert answer in (b"", b"HTTP/1.1 400"), answer
    assert server.get("/health").status_code == 200


def test_websockets_are_not_opened(server: ApiClient) -> None:
    upgrade = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "x"}
    assert server.get("/health", headers=upgrade).status_code == 200


def test_unix_socket_rejects_other_users_whatever_its_mode(
    home: Home, public_folder: Path, run_as_nobody: Callable[[str], str]
) -> None:
    file = public_folder / "server"
    request = b"GET /api/v1/model/training HTTP/1.1\r\nHost: localhost\r\n\r\n"
    with server_process("--local", "--unix-socket", file, ODAHU_ARGO_HOME=str(home.root)):
        file.chmod(0o777)
        with socket.socket(socket.AF_UNIX) as own:
            own.connect(str(file))
            own.sendall(request)
            assert own.recv(15) == b"HTTP/1.1 200 OK"
        program = "import socket as s; x = s.socket(s.AF_UNIX); x.connect({!r}); x.send({!r}); print(x.recv(99))"
        output = run_as_nobody(program.format(str(file), request))
    assert output == "b''\n" or "ConnectionResetError" in output or "BrokenPipeError" in output
