"""Connections of the API server on a real Kubernetes API."""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from odahu_argo.kube.client import KubeCluster
from odahu_argo.kube.cluster import SECRET
from tests.cluster.connections import GIT, S3, data, secret_names
from tests.servers.api import serving

pytestmark = pytest.mark.cluster
TOKEN = {"decrypt": "d" * 16, "plain": "p" * 16}
HOST_KEY = "git.example.org ssh-ed25519 AAAA"


class Api:
    """A client of the connection routes. Only decrypted responses may contain a canary."""

    def __init__(self, address: str) -> None:
        self.address = f"{address}/api/v1/connection"

    def __call__(self, method: str, path: str = "", token: str = "plain", **options: Any) -> requests.Response:
        headers = {"Authorization": f"Bearer {TOKEN[token]}"}
        response = requests.request(method, self.address + path, headers=headers, timeout=30, **options)
        asked_for = path.endswith("/decrypted") and token == "decrypt"
        canaries = ("CANARY", b64encode(b"CANARY").decode()[:7])
        assert asked_for or not any(canary in response.text for canary in canaries), response.text
        return response


@pytest.fixture
def api(cluster: KubeCluster, tmp_path: Path) -> Iterator[Api]:
    files = []
    for name, token in TOKEN.items():
        files.append(tmp_path / name)
        files[-1].write_text(token)
    with serving("-n", cluster.namespace, "--decrypt-token-file", files[0], "--token-file", files[1]) as address:
        yield Api(address)


def test_create_get_masked_update_and_delete(api: Api, cluster: KubeCluster) -> None:
    created = api("POST", json={"id": "wine-data", "spec": S3})
    assert created.status_code == 201, created.text
    shown = created.json()
    masked = {**S3, "keyID": "*****", "keySecret": "*****"}
    assert (shown["id"], shown["spec"], shown["status"]) == (
        "wine-data",
        masked,
        {"secretName": "connection-wine-data"},
    )
    assert shown["createdAt"] and shown["updatedAt"] >= shown["createdAt"]
    assert data(cluster, "connection-wine-data") == S3
    assert api("GET", "/wine-data").json() == shown
    assert api("POST", json={"id": "wine-data", "spec": S3}).status_code == 409

    changed = api("PUT", json={**shown, "spec": {"type": "s3", "uri": "s3://wine/new/", "keySecret": "CANARYnew"}})
    assert changed.status_code == 200, changed.text
    assert changed.json()["spec"] == {"type": "s3", "uri": "s3://wine/new/", "keySecret": "*****"}
    assert data(cluster, "connection-wine-data")["keySecret"] == "CANARYnew"
    assert api("DELETE", "/wine-data").json() == {"message": "Connection wine-data was deleted"}
    for method, path in (
        ("GET", "/wine-data"),
        ("DELETE", "/wine-data"),
        ("GET", "/NO"),
        ("GET", "/wine-data/decrypted"),
    ):
        assert api(method, path, "decrypt").status_code == 404
    assert api("PUT", json={"id": "wine-data", "spec": S3}).status_code == 404
    assert secret_names(cluster) == []


def test_list_is_sorted_filtered_and_paged(api: Api, cluster: KubeCluster) -> None:
    cluster.create(SECRET, {"metadata": {"name": "of-somebody-else"}, "type": "Opaque", "stringData": {"a": "CANARY"}})
    for name, spec in {"wine-data": S3, "code": GIT, "beer-data": S3}.items():
        assert api("POST", json={"id": name, "spec": spec}).status_code == 201

    def ids(**query: Any) -> list[str]:
        return [item["id"] for item in api("GET", params=query).json()]

    assert ids() == ["beer-data", "code", "wine-data"]
    assert ids(type="s3") == ["beer-data", "wine-data"]
    assert ids(type=["s3", "git"], size=2, page=1) == ["wine-data"]
    assert ids(type="gcs") == []
    assert api("GET", params={"id": "code"}).status_code == 400


def test_decryption_requires_the_role_and_decrypted_secrets_round_trip(api: Api, cluster: KubeCluster) -> None:
    spec = {"type": "git", "uri": "git@git.example.org:x.git", "keySecret": "CANARY\nkey\n", "publicKey": HOST_KEY}
    sent = {**spec, "keySecret": b64encode(spec["keySecret"].encode()).decode()}
    assert api("POST", json={"id": "code", "spec": sent}).status_code == 201
    rejected = api("GET", "/code/decrypted")
    assert (rejected.status_code, "right to decrypt" in rejected.json()["message"]) == (403, True)
    shown = api("GET", "/code/decrypted", "decrypt").json()
    assert b64decode(shown["spec"]["keySecret"]) == b"CANARY\nkey\n"
    assert b64decode(shown["spec"]["publicKey"]).decode() == HOST_KEY
    before = data(cluster, "connection-code")
    assert api("PUT", json=shown).status_code == 200
    assert data(cluster, "connection-code") == before
    masked = api("PUT", json=api("GET", "/code").json())
    assert (masked.status_code, "masked values: keySecret" in masked.json()["message"]) == (400, True)


INVALID_BODIES: list[object] = [
    {"id": "x", "spec": {**S3, "keySecret": ["CANARY"]}},
    {"id": "x", "spec": {**S3, "keySecret": {"CANARY": "CANARY"}}},
    {"id": "x", "spec": {**S3, "secretEncoding": "base64"}},
    {"id": "x", "spec": {**GIT, "type": "s3"}},
    {"id": "x", "spec": {**GIT, "type": "ecr", "password": "CANARY"}},
    {"id": "x", "spec": {**S3, "uri": "<CANARY>"}, "kind": "ModelTraining"},
    {"id": "x"},
    ["CANARY"],
]


def test_errors_contain_no_secrets(api: Api, cluster: KubeCluster) -> None:
    for body in INVALID_BODIES:
        response = api("POST", json=body)
        assert (response.status_code, bool(response.json()["message"])) == (400, True), body
    assert secret_names(cluster) == []


def test_vital_connection_cannot_be_deleted(api: Api, cluster: KubeCluster) -> None:
    body = {"id": "code", "spec": {"type": "git", "uri": "https://git.example.org/x.git", "vital": True}}
    assert api("POST", json=body).json()["spec"]["vital"] is True
    rejected = api("DELETE", "/code")
    assert (rejected.status_code, "code' is vital" in rejected.json()["message"]) == (400, True)
    assert secret_names(cluster) == ["connection-code"]
    body["spec"]["vital"] = False
    assert api("PUT", json=body).status_code == 200
    assert api("DELETE", "/code").status_code == 200
