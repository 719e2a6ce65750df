"""An OpenID provider that is silent, slow or hostile must not stop the server. The servers and the provider are real."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from odahu_argo.local.home import Home
from tests.commands import odahu_argo
from tests.servers.api import ApiClient, server_process
from tests.servers.handlers import serving_by

TRAININGS = "/api/v1/model/training"
ISSUER = "https://idp.example.org"
TOKEN = "0123456789abcdef"
KEYS = {name: rsa.generate_private_key(65537, bits) for name, bits in (("one", 2048), ("two", 2048), ("short", 1024))}


def signed(kid: str, key: str | None = None) -> str:
    claims = {"iss": ISSUER, "aud": "odahu-argo", "exp": int(time.time()) + 600}
    return jwt.encode(claims, KEYS[key or kid], "RS256", {"kid": kid})


@dataclass
class Provider:
    """A JWKS whose behaviour can change: `answer`, `silent`, or `drip`, which sends one byte after another for ever."""

    url: str = ""
    behaviour: str = "answer"
    keys: list[str] = field(default_factory=lambda: ["one", "short"])
    requests: int = 0
    stop: threading.Event = field(default_factory=threading.Event)


@pytest.fixture
def provider() -> Iterator[Provider]:
    provider = Provider()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            provider.requests += 1
            if provider.behaviour == "silent":
                provider.stop.wait()
                return
            public = {kid: jwt.algorithms.RSAAlgorithm.to_jwk(KEYS[kid].public_key()) for kid in provider.keys}
            keys = ", ".join(f'{{"kid": "{kid}", {key.removeprefix("{")}' for kid, key in public.items())
            self.send_response(200)
            self.end_headers()
            if provider.behaviour == "answer":
                self.wfile.write(f'{{"keys": [{keys}]}}'.encode())
            with suppress(OSError):
                while provider.behaviour == "drip" and not provider.stop.wait(0.1):
                    self.wfile.write(b" ")

        def log_message(self, *_: object) -> None:
            pass

    with serving_by(Handler) as url:
        provider.url = url
        yield provider
        provider.stop.set()


@pytest.fixture
def server(provider: Provider, home: Home, tmp_path: Path) -> Iterator[ApiClient]:
    """A server that accepts a fixed token and tokens of the provider."""
    (tmp_path / "token").write_text(TOKEN)
    oidc = ("--oidc-jwks", f"{provider.url}/keys", "--oidc-audience", "odahu-argo", "--oidc-issuer", ISSUER)
    options = ("--local", "--port", "0", "--token-file", tmp_path / "token", *oidc)
    with server_process(*options, ODAHU_ARGO_HOME=str(home.root)) as (process, url, _), ApiClient(url) as client:
        yield client
        process.terminate()
        assert process.wait(timeout=30) is not None, "the server did not stop"


def ask(server: ApiClient, token: str) -> int:
    return server.get(TRAININGS, headers={"Authorization": f"Bearer {token}"}).status_code


@pytest.mark.parametrize("behaviour", ["silent", "drip"])
def test_others_are_served_while_sign_ins_wait_for_the_provider(
    server: ApiClient, provider: Provider, behaviour: str
) -> None:
    provider.behaviour = behaviour
    with ThreadPoolExecutor(60) as pool:
        forms = [pool.submit(server.post, "/sign-in", {"token": signed(f"k{n}", "one")}) for n in range(50)]
        calls = [pool.submit(ask, server, signed("one")) for _ in range(10)]
        for _ in range(10):
            assert server.get("/health").status_code == 200
            assert ask(server, TOKEN) == 200
        assert not any(call.done() for call in (*forms, *calls)), "a request without a known key was answered too early"
        assert {call.result().status_code for call in forms} == {503}
        assert {call.result() for call in calls} == {503}
    assert provider.requests == 1


@pytest.mark.parametrize("behaviour", ["silent", "drip"])
def test_known_keys_never_wait(server: ApiClient, provider: Provider, behaviour: str) -> None:
    wait_until(lambda: ask(server, signed("one")) == 200)
    provider.behaviour = behaviour
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(lambda: wait_until(lambda: ask(server, signed("two")) == 503))
        wait_until(lambda: provider.requests == 2)
        for _ in range(20):
            assert ask(server, signed("one")) == 200
        assert not waiting.done()
        waiting.result()
    provider.behaviour, provider.keys = "answer", ["two"]
    wait_until(lambda: ask(server, signed("two")) == 200)
    assert ask(server, signed("one")) == 401, "a withdrawn key was accepted"


def test_unknown_key_ids_are_remembered(server: ApiClient, provider: Provider) -> None:
    wait_until(lambda: ask(server, signed("one")) == 200)
    wait_until(lambda: (ask(server, signed("other", "one")), provider.requests)[1] == 2)
    seen = time.monotonic()
    while time.monotonic() < seen + 7:
        assert ask(server, signed("other", "one")) == 401
    assert provider.requests == 2


@pytest.mark.filterwarnings("ignore:The RSA key is 1024 bits long")
def test_short_keys_are_not_used(server: ApiClient) -> None:
    assert ask(server, signed("one")) == 200
    assert ask(server, signed("short")) == 401


@pytest.mark.parametrize("url", ["http://idp.example.org/keys", "http://192.0.2.1/keys", "ftp://127.0.0.1/keys"])
def test_keys_are_not_fetched_without_encryption(url: str) -> None:
    options = ("--oidc-jwks", url, "--oidc-audience", "a", "--oidc-issuer", ISSUER)
    result = odahu_argo("server", "--local", *options, timeout=60)
    assert result.code == 2 and "--oidc-jwks" in result.err and "https" in result.err


def wait_until(condition: Callable[[], bool]) -> None:
    until = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.1)
