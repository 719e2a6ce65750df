from __future__ import annotations

import base64
from collections.abc import Callable
from pathlib import Path

import pytest

from odahu_argo.backends.kubernetes import KubernetesBackend
from odahu_argo.backends.local import LocalBackend
from odahu_argo.kube.cluster import WORKFLOW
from odahu_argo.local.home import Home
from odahu_argo.preflight import checks
from odahu_argo.profile import Profile
from odahu_argo.server.auth import Guard
from tests.fakes.cluster import InMemoryCluster
from tests.fakes.controller import play
from tests.manifests import training
from tests.servers.api import ApiClient

Serve = Callable[..., ApiClient]

TRAININGS, CONNECTIONS = "/api/v1/model/training", "/api/v1/connection"
CONNECTION = {"id": "data", "spec": {"type": "s3", "uri": "s3://b/p", "keyID": "AKIA", "keySecret": "secret value"}}


@pytest.fixture
def cluster() -> InMemoryCluster:
    return InMemoryCluster("ml")


@pytest.fixture
def client(cluster: InMemoryCluster, serve: Serve, monkeypatch: pytest.MonkeyPatch) -> ApiClient:
    monkeypatch.setattr(checks, "check", lambda *_: ())
    return serve(KubernetesBackend(cluster, Profile()))


def test_creates_replaces_and_deletes_trainings(cluster: InMemoryCluster, client: ApiClient) -> None:
    created = client.post(TRAININGS, json=training())
    assert (created.status_code, created.json()["status"]["state"]) == (201, "scheduling")
    play(cluster, "wine-1", "succeeded")
    assert client.post(TRAININGS, json=training()).status_code == 409
    replaced = client.put(TRAININGS, json=training(hyperParameters={"alpha": "0.7"}))
    assert (replaced.status_code, replaced.json()["status"]["argo"]["workflow"]) == (200, "wine-2")
    assert client.get(TRAININGS, params={"model_name": "wine"}).json()[0]["id"] == "wine"
    assert client.get(TRAININGS, params={"model_name": "beer"}).json() == []
    assert client.delete(f"{TRAININGS}/wine").json() == {"message": "Model training wine was deleted"}
    assert client.get(f"{TRAININGS}/wine").status_code == 404
    assert cluster.list(WORKFLOW).items == ()


def test_get_requests_write_nothing(cluster: InMemoryCluster, client: ApiClient) -> None:
    client.post(TRAININGS, json=training())
    play(cluster, "wine-1", "succeeded")
    cluster.requests.clear()
    pages = ["/", "/page/trainings", "/trainings/wine", "/page/trainings/wine", "/trainings/wine/log"]
    for path in [*pages, TRAININGS, f"{TRAININGS}/wine", f"{TRAININGS}/wine/log", CONNECTIONS]:
        assert client.get(path).status_code == 200, path
    assert cluster.writes == []


def test_reports_all_problems_of_a_body(client: ApiClient) -> None:
    wrong = client.post(TRAININGS, json=training(toolchain="mlfow", resources={"limits": {"cpu": "lots"}}))
    fields = {problem["field"] for problem in wrong.json()["problems"]}
    assert wrong.status_code == 400
    assert {"spec.toolchain", "spec.resources.limits.cpu"} <= fields


def test_connections_are_masked_and_encoded(cluster: InMemoryCluster, serve: Serve) -> None:
    guard = Guard(token="p" * 16, decrypt_token="d" * 16)
    client = serve(KubernetesBackend(cluster, Profile()), guard)
    user, reader = ({"Authorization": f"Bearer {letter * 16}"} for letter in "pd")
    assert client.get(CONNECTIONS).status_code == 401
    created = client.post(CONNECTIONS, json=CONNECTION, headers=user)
    assert (created.status_code, created.json()["spec"]["keySecret"]) == (201, "*****")
    assert client.get(f"{CONNECTIONS}/data/decrypted", headers=user).status_code == 403
    decrypted = client.get(f"{CONNECTIONS}/data/decrypted", headers=reader).json()["spec"]
    assert base64.b64decode(decrypted["keySecret"]) == b"secret value"
    unchanged = client.put(CONNECTIONS, json=CONNECTION, headers=user)
    assert (unchanged.status_code, unchanged.headers["Odahu-Argo-Changed"]) == (200, "false")
    assert client.delete(f"{CONNECTIONS}/data", headers=user).status_code == 200


def test_local_backend_does_not_support_changes_of_connections(tmp_path: Path, serve: Serve) -> None:
    response = serve(LocalBackend(Home(tmp_path))).post(CONNECTIONS, json=CONNECTION)
    assert (response.status_code, response.headers["Allow"]) == (405, "GET")
    assert "not supported on this machine" in response.json()["message"]


def test_unknown_training_is_an_error_page(client: ApiClient) -> None:
    for path in ("/trainings/cider", "/trainings/-"):
        page = client.get(path)
        assert (page.status_code, "does not exist" in page.text) == (404, True)


def test_list_pages_filter_by_state(cluster: InMemoryCluster, client: ApiClient) -> None:
    assert "odahu-argo train create -n ml" in client.get("/").text
    client.post(TRAININGS, json=training())
    play(cluster, "wine-1", "oom")
    assert "OOMKilled" in client.get("/?state=failed").text
    assert "No training is running" in client.get("/?state=running").text
