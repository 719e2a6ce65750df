"""HTTP sessions against servers on the loopback interface."""

from __future__ import annotations

import socket
import ssl
from pathlib import Path

import pytest
import requests
import trustme

from odahu_argo.http import BodyTooLarge, HttpSession, describe_failure, is_tls_error, read_body, read_lines
from tests.servers.programs import free_port
from tests.servers.scripted import Answer, answering

OK = Answer(200, {"ok": True})
UNAVAILABLE = Answer(503, {})


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "no_proxy", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


def test_retries_get_until_the_server_recovers() -> None:
    with answering(UNAVAILABLE, UNAVAILABLE, OK) as server, HttpSession(server.address) as session:
        assert read_body(session.get(server.address)) == b'{"ok": true}'
    assert len(server.requests) == 3


def test_returns_the_last_response_when_retries_are_exhausted() -> None:
    with answering(UNAVAILABLE) as server, HttpSession(server.address, retries=1) as session:
        response = session.get(server.address)
        assert (response.status_code, read_body(response)) == (503, b"{}")
    assert len(server.requests) == 2


def test_sends_post_once() -> None:
    with answering(UNAVAILABLE) as server, HttpSession(server.address) as session:
        response = session.post(server.address, json={})
        assert (response.status_code, read_body(response)) == (503, b"{}")
    assert len(server.requests) == 1


def test_returns_redirects_instead_of_following_them() -> None:
    with (
        answering(OK) as other,
        answering(Answer(302, b"", {"Location": other.address})) as server,
        HttpSession(server.address) as session,
        session.get(server.address) as response,
    ):
        assert response.status_code == 302
    assert other.requests == []


def test_rejects_a_body_over_the_limit() -> None:
    with answering(Answer(200, b"x" * 11)) as server, HttpSession(server.address) as session:
        assert read_body(session.get(server.address), 11) == b"x" * 11
        with pytest.raises(BodyTooLarge):
            read_body(session.get(server.address), 10)


def test_yields_lines_without_line_breaks() -> None:
    text = b"one\n\ntwo\rthree\nl\xc3\xa4st"
    with answering(Answer(200, text)) as server, HttpSession(server.address) as session:
        assert list(read_lines(session.get(server.address))) == ["one", "", "two\rthree", "läst"]


def test_uses_the_proxy_from_the_environment_except_for_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    with answering(OK) as proxy, answering(OK) as server:
        monkeypatch.setenv("HTTP_PROXY", proxy.address)
        for url in ("http://api.invalid/", server.address):
            with HttpSession(url) as session:
                read_body(session.get(url))
    assert [path for _, path in proxy.requests] == ["http://api.invalid/"]
    assert len(server.requests) == 1


def test_ignores_netrc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login someone password secret\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    with answering(OK) as server, HttpSession(server.address) as session:
        session.headers["Authorization"] = "Bearer token"
        read_body(session.get(server.address))
    assert server.authorizations == ["Bearer token"]


@pytest.mark.parametrize("variable", ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", None])
def test_trusts_the_certificates_of_the_environment(
    variable: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(tls)
    if variable:
        monkeypatch.setenv(variable, str(tmp_path / "ca.pem"))
    with answering(OK, tls=tls) as server, HttpSession(server.address, retries=0) as session:
        if variable:
            assert read_body(session.get(server.address))
        else:
            with pytest.raises(requests.RequestException) as raised:
                session.get(server.address)
            assert is_tls_error(raised.value)


def test_describes_a_refused_connection() -> None:
    assert describe_failure(failure(f"http://127.0.0.1:{free_port()}")) == "connection refused"


def test_describes_an_unknown_host() -> None:
    assert describe_failure(failure("http://api.invalid")) == "unknown host name"


def test_describes_a_timeout() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        assert describe_failure(failure(f"http://127.0.0.1:{silent.getsockname()[1]}")) == "timed out"


def test_describes_a_connection_that_breaks_while_reading() -> None:
    with (
        answering(Answer(200, b"short", length=100)) as server,
        HttpSession(server.address) as session,
        pytest.raises(requests.RequestException) as raised,
    ):
        read_body(session.get(server.address))
    assert describe_failure(raised.value).startswith("connection failed")


def failure(url: str) -> requests.RequestException:
    with HttpSession(url, retries=0, read_seconds=0.1) as session, pytest.raises(requests.RequestException) as raised:
        session.get(url)
    assert not is_tls_error(raised.value)
    return raised.value
