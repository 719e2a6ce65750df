"""The API of local trainings: a real server and a real store."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.metadata import version as installed_version
from pathlib import Path

import jwt
import pytest
import requests
from cryptography.hazmat.primitives.asymmetric import rsa

from odahu_argo.local.home import Home
from odahu_argo.local.store import LocalTraining, StepRecord, TrainingStore
from tests.commands import odahu_argo
from tests.servers.api import ApiClient, serving, signed_in

TRAININGS = "/api/v1/model/training"
TOKEN = "0123456789abcdef0123"
ISSUER = "https://idp.example.org"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    home = Home(tmp_path_factory.mktemp("home"))
    for name, version in (("wine", "1.0"), ("beer", "1.0"), ("wine-new", "2.0")):
        model = name.partition("-")[0]
        times = ("2026-01-01T00:00:00.000+00:00", "2026-01-01T00:01:00.000+00:00")
        steps = (StepRecord("checkout", "succeeded", 0), StepRecord("train", "succeeded", 0))
        record = LocalTraining(name, model, version, "mlflow", "succeeded", *times, "d", "file:///models", steps=steps)
        TrainingStore(home.store_file).save(record)
    home.tracking_version_file.write_text(installed_version("mlflow"))
    logs = home.run("wine").logs
    logs.mkdir(parents=True)
    (logs / "checkout.log").write_text("checkout: at main\n")
    (logs / "train.log").write_text("epoch 1\nepoch 2\n")
    return home


@pytest.fixture(scope="module")
def api(home: Home) -> Iterator[ApiClient]:
    with signed_in("--local", ODAHU_ARGO_HOME=str(home.root)) as client:
        yield client


def ids(answer: requests.Response) -> list[str]:
    assert answer.status_code == 200, answer.text
    return [item["id"] for item in answer.json()]


def test_lists_filters_and_pages_trainings(api: ApiClient) -> None:
    assert ids(api.get(TRAININGS)) == ["beer", "wine", "wine-new"]
    assert ids(api.get(TRAININGS, params={"model_name": "wine"})) == ["wine", "wine-new"]
    assert ids(api.get(TRAININGS, params={"model_name": ["wine", "beer"], "model_version": "1.0"})) == ["beer", "wine"]
    assert ids(api.get(TRAININGS, params={"toolchain": "other"})) == []
    assert ids(api.get(TRAININGS, params={"size": 2, "page": 1})) == ["wine-new"]


@pytest.mark.parametrize("query", ["size=many", "page=-1", "size=0", "colour=red"])
def test_reports_invalid_parameter(api: ApiClient, query: str) -> None:
    answer = api.get(f"{TRAININGS}?{query}")
    assert answer.status_code == 400
    assert query.partition("=")[0] in answer.json()["message"]


def test_get_training(api: ApiClient) -> None:
    shown = api.get(f"{TRAININGS}/wine").json()
    assert (shown["id"], shown["spec"]["model"]) == ("wine", {"name": "wine", "version": "1.0"})
    assert (shown["status"]["state"], shown["createdAt"]) == ("succeeded", "2026-01-01T00:00:00.000+00:00")


@pytest.mark.parametrize("path", ["cider", "cider/log", "NOT_AN_ID", "%00"])
def test_unknown_training_is_not_found(api: ApiClient, path: str) -> None:
    answer = api.get(f"{TRAININGS}/{path}")
    assert answer.status_code == 404
    assert answer.json()["message"]


@pytest.mark.parametrize("follow", ["false", "true"])
def test_log_is_plain_text(api: ApiClient, follow: str) -> None:
    answer = api.get(f"{TRAININGS}/wine/log?follow={follow}")
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert answer.text == "checkout | at main\ntrain | epoch 1\ntrain | epoch 2\n"


def test_rejects_foreign_hosts_and_forms(api: ApiClient) -> None:
    assert api.get(TRAININGS, headers={"Host": "evil.example.org"}).status_code == 400
    as_a_form = api.post(TRAININGS, data="{}", headers={"Content-Type": "text/plain"})
    assert (as_a_form.status_code, "JSON" in as_a_form.text) == (400, True)


def test_health_metrics_and_local_swagger_assets(api: ApiClient) -> None:
    assert api.get("/health").json() == {}
    api.get(f"{TRAININGS}/wine")
    counted = 'odahu_argo_http_request_seconds_count{method="GET",route="/api/v1/model/training/{id}",status="200"}'
    assert counted in api.get("/metrics").text
    page = api.get("/swagger/index.html").text
    assert "https://" not in page
    for file in ("swagger-ui-bundle.js", "swagger-ui.css"):
        assert f"/swagger/static/{file}" in page
        assert len(api.get(f"/swagger/static/{file}").content) > 100_000
    assert f"{TRAININGS}/{{id}}/log" in api.get("/openapi.json").json()["paths"]


def with_token(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def test_fixed_token(home: Home, tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text(TOKEN + "\n")
    with serving("--local", "--token-file", file, ODAHU_ARGO_HOME=str(home.root)) as address:
        url = address + TRAININGS
        assert len(ids(requests.get(url, headers=with_token(TOKEN)))) == 3
        for headers in (
            {},
            with_token(TOKEN[:-1]),
            with_token("é".encode().decode("latin-1")),
            {"Authorization": TOKEN},
        ):
            answer = requests.get(url, headers=headers)
            assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (401, "Bearer")
            assert TOKEN not in answer.text
        assert requests.delete(f"{url}/wine").status_code == 401
        assert requests.get(f"{address}/health").status_code == 200


@contextmanager
def provider(key: rsa.RSAPrivateKey) -> Iterator[str]:
    """The address of a JWKS with the public half of the key."""
    public = {**jwt.algorithms.RSAAlgorithm.to_jwk(key.public_key(), as_dict=True), "kid": "one", "use": "sig"}
    answer = json.dumps({"keys": [public]}).encode()

    class Keys(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Keys) as server:
        threading.Thread(target=server.serve_forever).start()
        yield f"http://127.0.0.1:{server.server_port}/keys"
        server.shutdown()


def test_openid_tokens(home: Home) -> None:
    key, other = (rsa.generate_private_key(65537, 2048) for _ in range(2))
    good = {"iss": ISSUER, "aud": "odahu-argo", "exp": int(time.time()) + 600}

    def signed(by: rsa.RSAPrivateKey = key, kid: str = "one", **claims: object) -> str:
        return jwt.encode({**good, **claims}, by, "RS256", {"kid": kid})

    with provider(key) as keys:
        oidc = ("--oidc-jwks", keys, "--oidc-audience", "odahu-argo", "--oidc-issuer", ISSUER)
        with serving("--local", *oidc, ODAHU_ARGO_HOME=str(home.root)) as address:
            bad = {
                "another key": signed(other),
                "an unknown key": signed(kid="two"),
                "expired": signed(exp=int(time.time()) - 600),
                "for others": signed(aud="others"),
                "by others": signed(iss="https://others.example.org"),
                "unsigned": jwt.encode(good, None, "none", {"kid": "one"}),
                "no token": "abc",
            }
            accepted = requests.get(address + TRAININGS, headers=with_token(signed()))
            assert len(ids(accepted)) == 3
            for what, token in bad.items():
                assert requests.get(address + TRAININGS, headers=with_token(token)).status_code == 401, what


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--host", "0.0.0.0"], "only loopback addresses are allowed"),
        (
            ["--oidc-jwks", "http://idp.example.org/keys", "--oidc-audience", "a", "--oidc-issuer", "i"],
            "is not encrypted",
        ),
        (["--oidc-jwks", "https://idp.example.org/keys"], "belong together"),
        (["--token-file", "/nowhere/token"], "cannot be read"),
        (["--token-file", "/dev/null"], "fewer than 16 characters"),
        (["-n", "ml"], "--local cannot be combined"),
        (["--decrypt-role", "admin"], "belong together"),
    ],
)
def test_rejects_insecure_settings(arguments: list[str], message: str) -> None:
    result = odahu_argo("server", "--local", *arguments, timeout=60)
    assert result.code == 2
    assert message in result.err
    assert "hint:" in result.err


def test_reports_used_port(api: ApiClient) -> None:
    result = odahu_argo("server", "--local", "--port", api.url.rpartition(":")[2], timeout=60)
    assert (result.code, "cannot listen on 127.0.0.1" in result.err) == (3, True)
