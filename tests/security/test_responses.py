"""Headers of every response, and JSON bodies that programs could read in different ways."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from odahu_argo.local.home import Home
from tests.servers.api import ApiClient, server_process

TRAININGS = "/api/v1/model/training"
TOKENS = {"--token-file": "0123456789abcdef", "--decrypt-token-file": "fedcba9876543210"}
SPEC = '"spec": {"type": "s3", "uri": "s3://x/", "keySecret": "Q0FOQVJZ"}'


@pytest.fixture(scope="module")
def api(home: Home, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiClient]:
    """A server with a connection that has a secret, and a client that may decrypt it."""
    folder = tmp_path_factory.mktemp("manifests")
    (folder / "data.json").write_text(f'{{"kind": "Connection", "id": "data", {SPEC}}}')
    options: list[object] = ["--local", "--port", "0", "-d", folder / "data.json"]
    for option, token in TOKENS.items():
        (folder / option).write_text(token)
        options += [option, folder / option]
    with (
        server_process(*options, ODAHU_ARGO_HOME=str(home.root)) as (_, url, _token),
        ApiClient(url, TOKENS["--decrypt-token-file"]) as client,
    ):
        yield client


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/api/v1/connection/data/decrypted", 200),
        ("GET", "/api/v1/connection", 200),
        ("GET", "/api/v1/connection/nowhere", 404),
        ("GET", TRAININGS, 200),
        ("GET", f"{TRAININGS}/wine/log", 200),
        ("GET", f"{TRAININGS}?size=x", 400),
        ("PUT", TRAININGS, 400),
        ("PATCH", TRAININGS, 405),
        ("DELETE", f"{TRAININGS}/-", 404),
        ("GET", "/nowhere", 404),
        ("GET", "/health", 200),
        ("GET", "/metrics", 200),
        ("GET", "/openapi.json", 200),
        ("GET", "/swagger/index.html", 200),
        ("GET", "/", 200),
        ("GET", "/trainings/wine/log", 200),
        ("GET", "/trainings/nowhere", 404),
        ("POST", "/sign-out", 303),
    ],
)
def test_no_cache_stores_responses_and_no_browser_guesses_types(
    api: ApiClient, method: str, path: str, status: int
) -> None:
    answer = api.request(method, path)
    assert answer.status_code == status, answer.text
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_rejected_callers_get_the_headers_too(api: ApiClient) -> None:
    for path in (TRAININGS, "/", "/api/v1/connection/data/decrypted"):
        answer = api.get(path, headers={"Authorization": "Bearer wrong"})
        assert (answer.status_code, answer.headers["Cache-Control"]) == (401, "no-store")


@pytest.mark.parametrize(
    "body",
    [
        f'{{"id": "a", "id": "b", {SPEC}}}',
        f'{{"id": "a", {SPEC}, {SPEC}}}',
        '{"id": "a", "spec": {"type": "s3", "type": "git", "uri": "s3://x/"}}',
        '{"id": "a", "status": {"x": 1, "x": 1}, "spec": {}}',
        '{"id": "a", "\\u0069d": "b", "spec": {}}',
    ],
)
def test_duplicate_keys_are_rejected(api: ApiClient, body: str) -> None:
    answer = api.post(TRAININGS, data=body, headers={"Content-Type": "application/json"})
    assert (answer.status_code, "occurs twice" in answer.json()["message"]) == (400, True), answer.text


def test_many_duplicate_keys_are_rejected_quickly(api: ApiClient) -> None:
    names = ",".join(f'"k{number}": 1' for number in range(60_000))
    body = f'{{{names}, "k59999": 1}}'
    answer = api.post(TRAININGS, data=body, headers={"Content-Type": "application/json"})
    assert (answer.status_code, "'k59999' occurs twice" in answer.text) == (400, True), answer.text[:200]
