from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from odahu_argo.backends.kubernetes import KubernetesBackend
from odahu_argo.backends.local import LocalBackend
from odahu_argo.backends.shared import SharedKubernetesBackend
from odahu_argo.kube.cluster import SECRET, WORKFLOW
from odahu_argo.local.home import Home
from odahu_argo.preflight import checks
from odahu_argo.profile import Profile
from odahu_argo.server.auth import Guard
from tests.fakes.cluster import InMemoryCluster
from tests.fakes.controller import play
from tests.manifests import training
from tests.servers.api import ApiClient
from tests.waiting import eventually

Serve = Callable[..., ApiClient]

TRAININGS, CONNECTIONS = "/api/v1/model/training", "/api/v1/connection"
TOOLCHAINS = "/api/v1/toolchain/integration"
TOOLCHAIN = {"id": "line", "spec": {"entrypoint": "line", "defaultImage": "line:1.0"}}
CONNECTION: dict[str, Any] = {
    "id": "data",
    "spec": {"type": "s3", "uri": "s3://b/p", "keyID": "AKIA", "keySecret": "secret value"},
}


@pytest.fixture
def cluster() -> InMemoryCluster:
    return InMemoryCluster("ml")


@pytest.fixture
def client(cluster: InMemoryCluster, serve: Serve, monkeypatch: pytest.MonkeyPatch) -> Iterator[ApiClient]:
    monkeypatch.setattr(checks, "check", lambda *_: ())
    with closing(SharedKubernetesBackend(cluster, Profile())) as backend:
        yield serve(backend)


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


def test_strict_request_makes_warnings_errors_and_reaches_the_step(cluster: InMemoryCluster, client: ApiClient) -> None:
    strict = {"strict": "true"}
    rejected = client.post(TRAININGS, params=strict, json=training(purpose="demo"))
    assert (rejected.status_code, "purpose" in rejected.text) == (400, True)
    assert client.post(TRAININGS, params=strict, json=training()).status_code == 201
    [workflow] = cluster.list(WORKFLOW).items
    assert "strict_environment" in json.dumps(workflow)


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


def test_messages_are_those_of_odahu(client: ApiClient) -> None:
    for path in (f"{TRAININGS}/ale", f"{TRAININGS}/ale/log", f"{CONNECTIONS}/ale", f"{TOOLCHAINS}/ale"):
        assert client.get(path).json()["message"] == 'entity "ale" is not found', path
    for path, kind in ((CONNECTIONS, CONNECTION), (TOOLCHAINS, TOOLCHAIN), (TRAININGS, training())):
        missing = 'entity "{}" is not found'.format(kind["id"])
        assert client.put(path, json=kind).json()["message"] == missing
        assert client.post(path, json=kind).status_code == 201
        changed = json.loads(json.dumps(kind).replace("1.0", "2.0"))
        message = 'entity "{}" already exists'.format(kind["id"])
        assert client.post(path, json=changed).json()["message"] == message


@pytest.mark.parametrize(
    ("path", "body", "message"),
    [
        (
            "/api/v1/model/training",
            {"id": "x", "spec": {}},
            "model training is failed: empty model.name; empty model.version; both VCS and ObjectStorage names are empty;"
            " empty toolchain parameter",
        ),
        (
            "/api/v1/model/training",
            training(toolchain="ale", data=[{"connection": "wine", "localPath": "a", "remotePaths": "b"}]),
            "model training is failed: spec.data[0].remotePaths: unknown field 'remotePaths'; entity \"ale\" is not found",
        ),
        ("/api/v1/model/training", training(toolchain="ale"), 'model training is failed: entity "ale" is not found'),
        (
            "/api/v1/connection",
            {"spec": {"type": "git"}},
            'connection is failed: ID is not valid; empty "ID"; empty uri',
        ),
        (
            "/api/v1/connection",
            {"id": "x", "spec": {"type": "ftp", "uri": "ftp://x"}},
            "connection is failed: unknown type: ftp. Supported types: [s3 gcs azureblob git docker ecr]",
        ),
        ("/api/v1/toolchain/integration", {"id": "x"}, "toolchain integration is failed: empty entrypoint"),
    ],
)
def test_validation_messages_are_those_of_odahu(client: ApiClient, path: str, body: object, message: str) -> None:
    rejected = client.post(path, json=body)
    assert (rejected.status_code, rejected.json()["message"]) == (400, f"Validation of {message}")
    assert rejected.json()["problems"]


def test_unknown_fields_are_warnings_in_the_response(client: ApiClient) -> None:
    created = client.post(TRAININGS, json=training(_comment='ä "quoted"', data=None))
    assert created.status_code == 201
    assert created.headers["Warning"] == "299 - \"spec._comment: unknown field '_comment' is ignored\""
    assert "_comment" not in created.json()["spec"]
    for path, body in ((CONNECTIONS, CONNECTION), (TOOLCHAINS, TOOLCHAIN)):
        for send in (client.post, client.put):
            answer = send(path, json={**body, "owner": "me"})
            assert (answer.ok, answer.headers["Warning"]) == (True, "299 - \"owner: unknown field 'owner' is ignored\"")
    assert client.post(TRAININGS, json={**training(), "specc": {}}).status_code == 400


def test_hints_name_commands_only_for_the_command_line(client: ApiClient) -> None:
    def hints(agent: str, body: object) -> set[str | None]:
        rejected = client.post(TRAININGS, json=body, headers={"User-Agent": agent})
        return {problem["hint"] for problem in rejected.json()["problems"]}

    assert hints("python-requests", training(toolchain="mlfow")) == {"did you mean mlflow?"}
    [hint] = hints("odahu-argo", training(toolchain="mlfow"))
    assert hint == "did you mean mlflow? Otherwise pass its ToolchainIntegration with -f"


def test_training_has_the_defaults_of_odahu(client: ApiClient) -> None:
    client.post(CONNECTIONS, json={"id": "code", "spec": {"type": "git", "uri": "git@x:y.git", "reference": "develop"}})
    created = client.post(TRAININGS, json=training()).json()["spec"]
    assert (created["workDir"], created["outputConnection"], created["reference"]) == ("./", "models-output", "develop")
    assert created["resources"]["limits"] == {"cpu": "2", "memory": "4Gi"}
    assert created["image"].startswith("odahu-argo-training:")
    assert created["model"]["artifactNameTemplate"] == "{{ .Name }}-{{ .Version }}-{{ .RandomUUID }}.zip"
    own = {"limits": {"cpu": "1"}}
    source = {"vcs": {"connection": "code", "reference": "main"}}
    body = training(vcsName=None, algorithmSource=source, resources=own, image="a:1") | {"id": "ale"}
    spec = client.post(TRAININGS, json=body).json()["spec"]
    assert (spec["algorithmSource"], spec["resources"], spec["image"]) == (source, own, "a:1")


def test_secret_values_are_returned_byte_for_byte(client: ApiClient, serve: Serve, cluster: InMemoryCluster) -> None:
    """ODAHU's clients send base64 without `secretEncoding`, of text or of any bytes."""
    body: dict[str, Any] = {
        "id": "data",
        "spec": {"type": "s3", "uri": "s3://b/p", "keyID": "a2VrCg==", "keySecret": "//4AAQI="},
    }
    reader = serve(KubernetesBackend(cluster, Profile()), Guard(token="p" * 16, decrypt_token="d" * 16))
    client.post(CONNECTIONS, json=body)
    decrypted = reader.get(f"{CONNECTIONS}/data/decrypted", headers={"Authorization": f"Bearer {'d' * 16}"}).json()
    assert decrypted["spec"].items() >= body["spec"].items()
    assert client.put(CONNECTIONS, json=decrypted).headers["Odahu-Argo-Changed"] == "false"
    client.put(CONNECTIONS, json={"id": "data", "spec": {**body["spec"], "secretEncoding": "base64"}})
    [secret] = cluster.list(SECRET).items
    assert secret["data"]["keySecret"] == "//4AAQI="


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
    assert eventually(lambda: "OOMKilled" in client.get("/?state=failed").text)
    assert "No training is running" in client.get("/?state=running").text
