"""All checks together, on an in-memory cluster."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest

from odahu_argo.errors import Unauthorized
from odahu_argo.kube.cluster import SECRET, SERVICE_ACCOUNT, STORAGE_CLASS
from odahu_argo.preflight.checks import check
from odahu_argo.profile import Profile, parse_profile
from tests.fakes.cluster import InMemoryCluster
from tests.manifests import plan
from tests.unit.preflight.conftest import ForbiddenCluster, install_argo

CONNECTIONS = {"code": "git", "wine-data": "s3", "models-output": "s3"}


def secret(name: str, **fields: str) -> dict[str, Any]:
    data = {key: base64.b64encode(value.encode()).decode() for key, value in fields.items()}
    return {"metadata": {"name": name}, "data": data}


@pytest.fixture
def ready(cluster: InMemoryCluster) -> InMemoryCluster:
    """A cluster with everything that the training of `tests.manifests` needs."""
    install_argo(cluster)
    cluster.create(SERVICE_ACCOUNT, {"metadata": {"name": "odahu-argo-training"}})
    annotations = {"storageclass.kubernetes.io/is-default-class": "true"}
    cluster.create(STORAGE_CLASS, {"metadata": {"name": "standard", "annotations": annotations}})
    for name, type_ in CONNECTIONS.items():
        cluster.create(SECRET, secret(f"connection-{name}", type=type_, uri="s3://bucket/"))
    return cluster


def levels(cluster: InMemoryCluster, profile: Profile | None = None, *plans: Any) -> dict[str, tuple[str, str]]:
    return {result.subject: (result.level, result.message) for result in check(cluster, profile or Profile(), plans)}


def test_complete_cluster_passes(ready: InMemoryCluster, tmp_path: Path) -> None:
    checked = levels(ready, None, plan(tmp_path))
    step_warnings = {subject for subject in checked if subject.startswith("step ")}
    assert {level for subject, (level, _) in checked.items() if subject not in step_warnings} == {"ok"}
    assert checked["connection wine-data"] == ("ok", "Secret connection-wine-data has type s3")


def test_writes_nothing_but_access_reviews(ready: InMemoryCluster, tmp_path: Path) -> None:
    before = len(ready.writes)
    check(ready, Profile(), [plan(tmp_path)])
    assert {request.kind for request in ready.writes[before:]} == {
        "SelfSubjectAccessReview",
        "LocalSubjectAccessReview",
    }


def test_reports_only_a_missing_namespace() -> None:
    assert levels(InMemoryCluster("nowhere")) == {"namespace": ("error", "namespace nowhere does not exist")}


def test_raises_for_rejected_credentials(cluster: InMemoryCluster) -> None:
    cluster.fail_next("get", Unauthorized("the API server rejects the credentials"))
    with pytest.raises(Unauthorized):
        check(cluster, Profile())


def test_warns_if_access_reviews_are_forbidden() -> None:
    results = check(ForbiddenCluster(), Profile())  # type: ignore[arg-type]
    assert [(result.level, result.subject) for result in results] == [
        ("warning", "permissions"),
        ("warning", "service account"),
    ]
    assert "--as system:serviceaccount:ml:odahu-argo-training" in (results[1].hint or "")


def test_reports_missing_permissions(ready: InMemoryCluster) -> None:
    ready.denied |= {("watch", "workflows"), ("list", "events"), ("patch", "workflowtaskresults")}
    results = {(result.level, result.message) for result in check(ready, Profile())}
    assert ("error", "you cannot watch workflows.argoproj.io in namespace ml") in results
    reason = "the reason why a pod does not start is not available"
    assert ("warning", f"you cannot list events in namespace ml: {reason}") in results
    account = next(message for level, message in results if message.startswith("odahu-argo-training"))
    assert account.startswith("odahu-argo-training cannot patch workflowtaskresults.argoproj.io: ")


def test_reports_a_missing_service_account(ready: InMemoryCluster) -> None:
    ready.delete(SERVICE_ACCOUNT, "odahu-argo-training")
    assert levels(ready)["service account"][0] == "error"


@pytest.mark.parametrize(
    ("fields", "level", "message"),
    [
        ({"type": "s3", "uri": "s3://wine/"}, "ok", "Secret connection-wine-data has type s3"),
        ({"type": "s3"}, "error", "Secret connection-wine-data has no uri"),
        ({}, "error", "Secret connection-wine-data has no type and no uri"),
        (
            {"type": "git", "uri": "u"},
            "error",
            "Secret connection-wine-data has type 'git'; step download-wine-data needs",
        ),
        (
            {"type": "gcs", "uri": "u"},
            "warning",
            "Secret connection-wine-data has type gcs, but its manifest has type s3",
        ),
    ],
)
def test_checks_the_secret_of_a_connection(
    ready: InMemoryCluster, tmp_path: Path, fields: dict[str, str], level: str, message: str
) -> None:
    ready.delete(SECRET, "connection-wine-data")
    ready.create(SECRET, secret("connection-wine-data", **fields))
    actual = levels(ready, None, plan(tmp_path))["connection wine-data"]
    assert actual[0] == level and actual[1].startswith(message)


def test_reports_a_missing_secret_of_a_connection(ready: InMemoryCluster, tmp_path: Path) -> None:
    ready.delete(SECRET, "connection-wine-data")
    level, message = levels(ready, None, plan(tmp_path))["connection wine-data"]
    assert level == "error" and message.startswith("Secret connection-wine-data does not exist in namespace ml; step ")


def test_without_plans_checks_the_connections_of_the_profile(ready: InMemoryCluster) -> None:
    profile = parse_profile("external_connections: [pretrained]", "profile.yaml")
    checked = levels(ready, profile)
    assert checked["connection pretrained"][0] == "warning"
    assert "connection models-output" not in checked


def test_checks_the_secrets_of_the_profile(ready: InMemoryCluster) -> None:
    profile = parse_profile("image_pull_secrets: [registry]", "profile.yaml")
    assert levels(ready, profile)["images"][0] == "error"
    ready.create(SECRET, {**secret("registry"), "type": "Opaque"})
    assert levels(ready, profile)["images"][0] == "warning"
    ready.replace(SECRET, {**secret("registry"), "type": "kubernetes.io/dockerconfigjson"})
    assert "images" not in levels(ready, profile)


def test_checks_the_storage_class(ready: InMemoryCluster) -> None:
    assert levels(ready)["workspace"] == ("ok", "default storage class")
    profile = parse_profile("workspace: {storage_class: fast}", "profile.yaml")
    assert levels(ready, profile)["workspace"] == (
        "error",
        "storage class fast does not exist; the cluster has standard",
    )
    ready.delete(STORAGE_CLASS, "standard")
    assert levels(ready)["workspace"][0] == "warning"


def test_reports_a_workflow_over_the_size_limit(tmp_path: Path) -> None:
    def errors(downloads: int) -> list[str]:
        data = [{"connName": "wine-data", "localPath": f"data/{number}"} for number in range(downloads)]
        compiled = plan(tmp_path, data=data)
        results = check(ForbiddenCluster(), compiled.profile, [compiled])  # type: ignore[arg-type]
        return [result.message for result in results if result.subject == "workflow of wine"]

    assert errors(10) == []
    [message] = errors(1000)
    assert "1048576" in message
