"""`odahu-argo doctor` against a real API server, before and after problems are fixed."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from kubernetes import client, utils

from tests.commands import CommandResult, odahu_argo
from tests.manifests import training, write

pytestmark = pytest.mark.cluster

FIELDS = {
    "code": {"type": "git", "uri": "https://git.example.org/ml/code.git"},
    "wine-data": {"type": "s3", "uri": "s3://wine/data/"},
    "models-output": {"type": "s3", "uri": "s3://models/"},
}


class DoctorNamespace:
    """A namespace to check."""

    def __init__(self, api: client.ApiClient, folder: Path) -> None:
        self.core = client.CoreV1Api(api)
        self.api = api
        self.folder = folder
        self.namespace = f"doctor-{os.getpid()}-{time.monotonic_ns() % 10**9}"
        self.profile: dict[str, Any] = {"namespace": self.namespace}

    def doctor(self, **spec: Any) -> CommandResult:
        profile = self.folder / "profile.yaml"
        profile.write_text(yaml.safe_dump(self.profile))
        manifests = write(self.folder, training(**spec))
        return odahu_argo("doctor", "-f", manifests, "--profile", profile, "-o", "json")

    def results(self, **spec: Any) -> dict[str, tuple[str, str]]:
        """Level and message by subject."""
        completed = self.doctor(**spec)
        results = json.loads(completed.out)
        assert completed.code == (2 if any(result["level"] == "error" for result in results) else 0)
        assert all(result["hint"] for result in results if result["level"] == "error")
        return {result["subject"]: (result["level"], result["message"]) for result in results}

    def secret(self, name: str, kind: str = "Opaque", **fields: str) -> None:
        metadata = client.V1ObjectMeta(name=name)
        self.core.create_namespaced_secret(
            self.namespace, client.V1Secret(metadata=metadata, string_data=fields, type=kind)
        )


@pytest.fixture
def checked(api: client.ApiClient, tmp_path: Path) -> Iterator[DoctorNamespace]:
    checked = DoctorNamespace(api, tmp_path)
    metadata = client.V1ObjectMeta(name=checked.namespace)
    checked.core.create_namespace(client.V1Namespace(metadata=metadata))
    yield checked
    checked.core.delete_namespace(checked.namespace)


def test_reports_missing_objects_until_setup_creates_them(checked: DoctorNamespace) -> None:
    results = checked.results()
    assert results["Argo"][0] == "ok" and results["permissions"][0] == "ok"
    assert results["Argo controller"][0] == "warning", "this cluster has no controller"
    assert results["service account"][0] == "error"
    for name in FIELDS:
        level, message = results[f"connection {name}"]
        assert (
            level == "error" and f"Secret connection-{name} does not exist in namespace {checked.namespace}" in message
        )
    for manifest in yaml.safe_load_all(odahu_argo("setup", "--namespace", checked.namespace).out):
        utils.create_from_dict(checked.api, manifest)
    for name, fields in FIELDS.items():
        checked.secret(f"connection-{name}", **fields)
    fixed = checked.results()
    assert {level for level, _ in fixed.values()} <= {"ok", "warning"}
    assert fixed["connection wine-data"] == ("ok", "Secret connection-wine-data has type s3")


def test_reports_secrets_with_a_wrong_type_or_missing_fields(checked: DoctorNamespace) -> None:
    checked.secret("connection-code", type="s3", uri="s3://wine/")
    checked.secret("connection-wine-data", type="s3")
    results = checked.results()
    assert results["connection code"][0] == "error" and "needs git" in results["connection code"][1]
    assert results["connection wine-data"] == ("error", "Secret connection-wine-data has no uri")


def test_checks_the_objects_of_the_profile(checked: DoctorNamespace) -> None:
    checked.profile |= {
        "tracking": {"uri": "http://mlflow:5000", "credentials_secret": "mlflow"},
        "image_pull_secrets": ["registry"],
        "workspace": {"storage_class": "no-such"},
    }
    results = checked.results()
    assert results["tracking"][0] == results["images"][0] == results["workspace"][0] == "error"
    checked.secret("mlflow", MLFLOW_TRACKING_TOKEN="t")
    checked.secret("registry", user="u")
    checked.profile["workspace"] = {}
    results = checked.results()
    assert "tracking" not in results
    assert results["images"][0] == "warning" and "has type Opaque" in results["images"][1]


@pytest.fixture
def node(api: client.ApiClient) -> Iterator[str]:
    """A Node object without a kubelet."""
    core, name = client.CoreV1Api(api), f"doctor-{time.monotonic_ns() % 10**9}"
    labels = {"pool": name}
    taint = client.V1Taint(key="nvidia.com/gpu", effect="NoSchedule")
    spec = client.V1NodeSpec(taints=[taint])
    core.create_node(client.V1Node(metadata=client.V1ObjectMeta(name=name, labels=labels), spec=spec))
    amounts = {"cpu": "4", "memory": "16Gi", "nvidia.com/gpu": "2", "pods": "10"}
    core.patch_node_status(name, {"status": {"allocatable": amounts, "capacity": amounts}})
    yield name
    core.delete_node(name)


def test_reports_requests_that_exceed_every_node(checked: DoctorNamespace, node: str) -> None:
    pool = {"node_selector": {"pool": node}}
    tolerated = [{"key": "nvidia.com/gpu", "operator": "Exists"}]
    checked.profile |= {"pools": {"gpu": pool, "cpu": {**pool, "tolerations": tolerated}}}
    assert checked.results(resources={"limits": {"gpu": 2}})["nodes"][0] == "ok"
    level, message = checked.results(resources={"limits": {"gpu": 64}})["step train"]
    assert level == "warning"
    assert message == "it requests 64 GPUs (nvidia.com/gpu); the largest node has 2"
    message = checked.results(resources={"limits": {"memory": "64Gi"}, "requests": {"memory": "64Gi"}})["step train"][1]
    assert message == "it requests 64.0Gi memory; the largest node has 16.0Gi"
    checked.profile["pools"]["cpu"] = pool
    assert "accepts pods" in checked.results()["step checkout"][1], "the taint is not tolerated"


def test_reports_a_service_account_without_its_role(checked: DoctorNamespace) -> None:
    account = client.V1ServiceAccount(metadata=client.V1ObjectMeta(name="odahu-argo-training"))
    checked.core.create_namespaced_service_account(checked.namespace, account)
    level, message = checked.results()["service account"]
    assert level == "error" and "cannot patch workflowtaskresults.argoproj.io: Argo cannot" in message
    assert odahu_argo("setup", "--namespace", checked.namespace, "--apply").code == 0
    level, message = checked.results()["service account"]
    assert (level, message) == ("ok", "odahu-argo-training exists and has the permissions that Argo's executor needs")


def test_checks_the_profile_without_manifests(checked: DoctorNamespace) -> None:
    profile = checked.folder / "profile.yaml"
    names = "image_pull_secrets: [registry]\nexternal_connections: [pretrained]\n"
    profile.write_text(f"namespace: {checked.namespace}\n{names}")
    completed = odahu_argo("doctor", "--profile", profile, "-o", "json")
    assert completed.code == 2, completed.err
    results = {result["subject"]: result["level"] for result in json.loads(completed.out)}
    assert (results["service account"], results["images"]) == ("error", "error")
    assert (results["connection models-output"], results["connection pretrained"]) == ("warning", "warning")


def test_reports_missing_permissions(checked: DoctorNamespace, tmp_path: Path) -> None:
    """As a service account without a role."""
    account = client.V1ServiceAccount(metadata=client.V1ObjectMeta(name="nobody"))
    checked.core.create_namespaced_service_account(checked.namespace, account)
    request = client.AuthenticationV1TokenRequest(spec=client.V1TokenRequestSpec(audiences=[]))
    token = checked.core.create_namespaced_service_account_token("nobody", checked.namespace, request).status.token
    config = yaml.safe_load(Path(os.environ["KUBECONFIG"]).read_text())
    config["users"] = [{"name": user["name"], "user": {"token": token}} for user in config["users"]]
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_text(yaml.safe_dump(config))
    environment = {**os.environ, "KUBECONFIG": str(kubeconfig)}
    profile = tmp_path / "empty.yaml"
    profile.write_text("")
    completed = odahu_argo("doctor", "-n", checked.namespace, "--profile", profile, "-o", "json", env=environment)
    assert completed.code == 2, completed.err
    results = [result for result in json.loads(completed.out) if result["subject"] == "permissions"]
    errors = {result["message"].split(" in ")[0] for result in results if result["level"] == "error"}
    assert errors == {f"you cannot {verb} workflows.argoproj.io" for verb in ("create", "get", "list", "watch")}
    assert any("train logs cannot read pods" in result["message"] for result in results)
    [account] = [result for result in json.loads(completed.out) if result["subject"] == "service account"]
    assert account["level"] == "warning"
    assert account["message"].startswith("the permissions of odahu-argo-training cannot be checked")
