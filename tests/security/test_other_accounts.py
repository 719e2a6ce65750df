"""Programs of other accounts of the machine, which can connect to loopback, attack a server without configured token."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Callable
from pathlib import Path

import pytest
import requests

from odahu_argo.local.home import Home
from odahu_argo.server_tokens import find_token
from tests.commands import odahu_argo
from tests.servers.api import ApiClient, server_process
from tests.servers.browser import Visit
from tests.servers.programs import free_port

TRAININGS = "/api/v1/model/training"
HOSTILE = {
    "id": "evil",
    "spec": {
        "model": {"name": "evil", "version": "1"},
        "toolchain": "mlflow",
        "vcsName": "code",
        "entrypoint": "main",
        "envs": [{"name": "PYTHONPATH", "value": "/tmp/evil"}],
    },
}


def test_no_route_of_the_api_works_without_token(server: ApiClient, stranger: ApiClient) -> None:
    assert stranger.post(TRAININGS, json=HOSTILE).status_code == 401
    paths = stranger.get("/openapi.json").json()["paths"]
    routes = [(method, path) for path, methods in paths.items() for method in methods if path.startswith("/api/")]
    assert len(routes) == 17
    for method, path in routes:
        answer = stranger.request(method, path.replace("{id}", "wine"), json={})
        assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (401, "Bearer"), (method, path)
    assert [training["id"] for training in server.get(TRAININGS).json()] == ["wine"]


@pytest.mark.parametrize("token", ["", "x", "é", "undefined", "null", "%00", "A" * 4000])
def test_wrong_tokens_are_rejected(stranger: ApiClient, token: str) -> None:
    header = {"Authorization": f"Bearer {token}".encode()}
    assert stranger.get(TRAININGS, headers=header).status_code == 401
    assert stranger.get("/", params={"token": token}).status_code == 401
    assert stranger.get(f"{TRAININGS}?token={token}").status_code == 401


def test_pages_ask_for_the_token(stranger: ApiClient) -> None:
    for path in ("/", "/trainings/wine", "/page/trainings", "/page/trainings/wine", "/trainings/wine/log"):
        answer = stranger.get(path)
        assert (answer.status_code, "succeeded" in answer.text, "epoch" in answer.text) == (401, False, False), path


def test_url_with_token_signs_the_browser_in(server: ApiClient, visit: Callable[..., Visit]) -> None:
    tab = visit(server.sign_in_url)
    assert tab.page.url == f"{server.url}/", "the token does not stay in the address bar"
    assert "wine" in tab.text("tbody")
    tab.page.get_by_role("link", name="wine", exact=True).click()
    assert "epoch 1" in tab.text("#log")
    [cookie] = tab.page.context.cookies()
    assert (cookie["httpOnly"], cookie["sameSite"]) == (True, "Strict")
    assert str(server.token) not in cookie["value"]
    tab.page.get_by_role("button", name="Sign out").click()
    assert tab.page.get_by_label("Token").is_visible()
    tab.complaints.clear()


def test_stolen_cookie_does_not_open_the_api(server: ApiClient, stranger: ApiClient) -> None:
    """A browser sends cookies to every port of a host, so servers of other accounts on 127.0.0.1 receive them."""
    signed_in = stranger.get("/", params={"token": server.token}, allow_redirects=False)
    assert (signed_in.status_code, signed_in.headers["Location"]) == (303, "/")
    [cookie] = signed_in.cookies
    assert stranger.get("/").status_code == 200
    for header in ({}, {"Authorization": f"Bearer {cookie.value}"}):
        assert stranger.post(TRAININGS, json=HOSTILE, headers=header).status_code == 401
        assert stranger.get(TRAININGS, headers=header).status_code == 401


@pytest.mark.parametrize("host", ["evil.example.org", "127.0.0.1.evil.example.org", "localhost.evil.example.org", ""])
def test_rebound_names_are_rejected(server: ApiClient, host: str) -> None:
    for path in ("/", TRAININGS):
        assert server.get(path, headers={"Host": host}).status_code == 400


def test_command_line_of_the_same_user_finds_the_token(server: ApiClient) -> None:
    shown = odahu_argo("train", "get", "--url", server.url, "-o", "jsonpath=[*].id")
    assert (shown.code, shown.out) == (0, "wine\n"), shown.err
    assert str(server.token) not in shown.err
    elsewhere = {**os.environ, "XDG_STATE_HOME": "/nowhere"}
    refused = odahu_argo("train", "get", "--url", server.url, env=elsewhere)
    assert refused.code == 2 and "a bearer token is required" in refused.err
    port = server.url.rpartition(":")[2]
    by_name = odahu_argo("train", "get", "--url", f"http://localhost:{port}")
    assert by_name.code == 2, "another account may listen on the other address of localhost"
    assert "use the URL that it printed, with its address" in by_name.err


def test_login_does_not_save_a_generated_token(
    server: ApiClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ODAHU_ARGO_CONFIG", str(tmp_path / "config"))
    assert odahu_argo("login", "--url", server.url).code == 0
    assert str(server.token) not in (tmp_path / "config").read_text()
    assert odahu_argo("train", "get", "-o", "jsonpath=[*].id").out == "wine\n"


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM])
def test_token_file_is_private_and_removed_at_stop(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, end: signal.Signals
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    mask = os.umask(0)
    try:
        with server_process("--local", "--port", "0", ODAHU_ARGO_HOME=str(home.root)) as (process, url, token):
            [file] = [path for path in (tmp_path / "state").rglob("*") if path.is_file()]
            assert file.stat().st_mode & 0o777 == 0o600
            assert file.parent.stat().st_mode & 0o777 == 0o700
            assert find_token(url) == token
            process.send_signal(end)
            process.wait(timeout=30)
            assert find_token(url) is None and not file.exists()
    finally:
        os.umask(mask)


def test_each_start_has_another_token(home: Home, server: ApiClient) -> None:
    with server_process("--local", "--port", "0", ODAHU_ARGO_HOME=str(home.root)) as (_, url, token):
        assert token != server.token
        assert requests.get(url + TRAININGS, headers={"Authorization": f"Bearer {server.token}"}).status_code == 401


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1"])
def test_generated_token_is_for_loopback_only(host: str) -> None:
    result = odahu_argo("server", "--local", "--host", host, "--port", free_port(), timeout=60)
    assert result.code == 2 and "only loopback addresses are allowed" in result.err


def test_unix_socket_needs_no_token(home: Home, public_folder: Path) -> None:
    file = public_folder / "server"
    mask = os.umask(0)
    try:
        with server_process("--local", "--unix-socket", file, ODAHU_ARGO_HOME=str(home.root)) as (process, url, token):
            assert (url, token) == (f"unix:{file}", None)
            assert file.stat().st_mode & 0o777 == 0o600
            assert odahu_argo("train", "get", "--url", url, "-o", "jsonpath=[*].id").out == "wine\n"
            assert odahu_argo("train", "logs", "--id", "wine", "--url", url).out == "train | epoch 1\n"
            second = odahu_argo("server", "--local", "--unix-socket", file)
            assert second.code == 2 and "a server is listening" in second.err
            process.terminate()
            process.wait(timeout=30)
            assert not file.exists()
    finally:
        os.umask(mask)
    gone = odahu_argo("train", "get", "--url", f"unix:{file}")
    assert gone.code == 3 and f"unix:{file}" in gone.err and "Traceback" not in gone.err


def test_unix_socket_of_killed_server_is_replaced(home: Home, public_folder: Path) -> None:
    file = public_folder / "server"
    for _ in range(2):
        with server_process("--local", "--unix-socket", file, ODAHU_ARGO_HOME=str(home.root)) as (process, url, _):
            assert odahu_argo("train", "get", "--url", url).code == 0
            process.kill()
            process.wait(timeout=30)
            assert file.exists()


def test_unix_socket_replaces_no_other_file(public_folder: Path) -> None:
    file = public_folder / "data"
    file.write_text("results")
    refused = odahu_argo("server", "--local", "--unix-socket", file)
    assert refused.code == 2 and "is not a socket" in refused.err
    assert file.read_text() == "results"
    for option in (("--port", 5000), ("--token-file", file), ("--oidc-issuer", "https://idp.example.org")):
        refused = odahu_argo("server", "--local", "--unix-socket", public_folder / "server", *option)
        assert refused.code == 2 and f"cannot be combined with {option[0]}" in refused.err


def test_another_account_can_neither_read_the_token_nor_connect_to_the_socket(
    home: Home, public_folder: Path, run_as_nobody: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(public_folder / "state"))
    file = public_folder / "server"
    with (
        server_process("--local", "--unix-socket", file, ODAHU_ARGO_HOME=str(home.root)),
        server_process("--local", "--port", "0", ODAHU_ARGO_HOME=str(home.root)) as (_, url, _token),
    ):
        assert find_token(url)
        servers = public_folder / "state" / "odahu-argo" / "servers"
        assert "PermissionError" in run_as_nobody(f"import os; print(os.listdir({str(servers)!r}))")
        connect = f"import socket; socket.socket(socket.AF_UNIX).connect({str(file)!r})"
        assert "PermissionError" in run_as_nobody(connect)
        with socket.socket(socket.AF_UNIX) as own:
            own.connect(str(file))
