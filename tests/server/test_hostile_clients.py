"""Clients that send too much data, slow requests or invalid requests."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from importlib.metadata import version

import pytest
import requests

from odahu_argo.local.home import Home
from tests.servers.api import serving

TOKEN = "0123456789abcdef"
CONNECTIONS = "/api/v1/connection"


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("hostile")
    home = Home(folder / "home")
    home.root.mkdir()
    home.tracking_version_file.write_text(version("mlflow"))
    (folder / "token").write_text(TOKEN)
    with serving("--local", "--token-file", folder / "token", ODAHU_ARGO_HOME=str(home.root)) as address:
        yield address


def ask(api: str, method: str, path: str, **options: object) -> requests.Response:
    headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
    return requests.request(method, api + path, headers=headers, timeout=30, **options)  # type: ignore[arg-type]


def connect(api: str, text: str) -> socket.socket:
    client = socket.create_connection(("127.0.0.1", int(api.rpartition(":")[2])), timeout=30)
    client.sendall(text.encode())
    return client


def test_rejects_large_body_early(api: str) -> None:
    answer = ask(api, "POST", CONNECTIONS, data=b" " * (1024 * 1024 + 1))
    assert (answer.status_code, "larger than 1024 KiB" in answer.json()["message"]) == (413, True)
    endless = f"POST {CONNECTIONS} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {TOKEN}\r\n"
    endless += "Content-Type: application/json\r\nContent-Length: 999999999999\r\n\r\n"
    with connect(api, endless + " " * (1024 * 1024 + 1)) as client:
        assert client.recv(12) == b"HTTP/1.1 413"


def test_checks_token_before_body(api: str) -> None:
    head = f"POST {CONNECTIONS} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 999\r\n\r\n"
    with connect(api, head) as client:
        assert client.recv(12) == b"HTTP/1.1 401"


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b"9" * 10_000,
        b'{"id": NaN}',
        b"\xff",
        b'"\\ud800"',
        b'{"id": "\\ud800"}',
        b"",
    ],
)
def test_invalid_body_is_bad_request(api: str, body: bytes) -> None:
    for path in (CONNECTIONS, "/api/v1/model/training", "/api/v1/toolchain/integration"):
        answer = ask(api, "PUT", path, data=body)
        assert answer.status_code in (400, 405), answer.text
        assert answer.json()["message"]


def test_slow_clients_do_not_block_others(api: str) -> None:
    head = f"POST {CONNECTIONS} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {TOKEN}\r\n"
    body = head + "Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{"
    slow = [connect(api, text) for text in (head, body) for _ in range(60)]
    try:
        assert ask(api, "GET", CONNECTIONS).status_code == 200
        assert ask(api, "POST", "/api/v1/model/training", json={}).status_code == 400
    finally:
        for client in slow:
            client.close()
    assert ask(api, "GET", CONNECTIONS).status_code == 200


def test_unknown_methods_share_one_metric(api: str) -> None:
    for number in range(20):
        assert ask(api, f"INVENTED{number}", CONNECTIONS).status_code == 405
        assert ask(api, "GET", f"/invented-{number}").status_code == 404
    message = requests.get(f"{api}/metrics", timeout=30).text
    assert "INVENTED" not in message and "invented" not in message
    assert f'_count{{method="other",route="{CONNECTIONS}",status="405"}} 20.0' in message


def test_method_not_allowed_lists_allowed_methods(api: str) -> None:
    answer = ask(api, "PATCH", CONNECTIONS)
    assert (answer.status_code, answer.headers["Allow"]) == (405, "GET, POST, PUT")
