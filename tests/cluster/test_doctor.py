"""What `odahu-argo doctor` finds on a real Kubernetes API, and that it finds it no more when it is mended."""

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

from tests.commands import Ran, odahu_argo
from tests.manifests import training, write

pytestmark = pytest.mark.cluster

FIELDS = {
    "code": {"type": "git", "uri": "https://git.example.org/ml/code.git"},
    "wine-data": {"type": "s3", "uri": "s3://wine/data/"},
    "models-output": {"type": "s3", "uri": "s3://models/"},
}


class Ward:
    """A namespace to be looked at."""

    def __init__(self, api: client.ApiClient, folder: Path) -> None:
        self.core = client.CoreV1Api(api)
        self.api = api
        self.folder = folder
        self.namespace = f"doctor-{os.getpid()}-{time.monotonic_ns() % 10**9}"
        self.profile: dict[str, Any] = {"namespace": self.namespace}

    def doctor(self, **spec: Any) -> Ran:
        profile = self.folder / "profile.yaml"
        profile.write_text(yaml.safe_dump(self.profile))
        manifests = write(self.folder, training(**spec))
        return odahu_argo("doctor", "-f", manifests, "--profile", profile, "-o", "json")

    def findings(self, **spec: Any) -> dict[str, tuple[str, str]]:
        """Level and message by subject."""
        ran = self.doctor(**spec)
        found = json.loads(ran.out)
        assert ran.code == (2 if any(each["level"] == "error" for each in found) else 0)
        assert all(each["hint"] for each in found if each["level"] == "error")
        return {each["subject"]: (each["level"], each["message"]) for each in found}

    def secret(self, name: str, kind: str = "Opaque", **fields: str) -> None:
        metadata = client.V1ObjectMeta(name=name)
        self.core.create_namespaced_secret(
            self.namespace, client.V1Secret(metadata=metadata, string_data=fields, type=kind)
        )


@pytest.fixture
def ward(api: client.ApiClient, tmp_path: Path) -> Iterator[Ward]:
    ward = Ward(api, tmp_path)
    metadata = client.V1ObjectMeta(name=ward.namespace)
    ward.core.create_namespace(client.V1Namespace(metadata=metadata))
    yield ward
    ward.core.delete_namespace(ward.namespace)


def test_each_thing_that_is_missing_is_told_until_it_is_there(ward: Ward) -> None:
    found = ward.findings()
    assert found["Argo"][0] == "ok" and found["your rights"][0] == "ok"
    assert found["Argo's controller"][0] == "warning", "none is at work on this cluster"
    assert found["service account"][0] == "error"
    for name in FIELDS:
        level, message = found[f"connection {name}"]
        assert level == "error" and f"no Secret connection-{name} in namespace {ward.namespace}" in message
    for manifest in yaml.safe_load_all(odahu_argo("setup", "--namespace", ward.namespace).out):
        utils.create_from_dict(ward.api, manifest)
    for name, fields in FIELDS.items():
        ward.secret(f"connection-{name}", **fields)
    mended = ward.findings()
    assert {level for level, _ in mended.values()} <= {"ok", "warning"}
    assert mended["connection wine-data"] == ("ok", "Secret connection-wine-data, type s3")


def test_a_secret_of_the_wrong_type_or_without_its_fields_is_told(ward: Ward) -> None:
    ward.secret("connection-code", type="s3", uri="s3://wine/")
    ward.secret("connection-wine-data", type="s3")
    found = ward.findings()
    assert found["connection code"][0] == "error" and "needs git" in found["connection code"][1]
    assert found["connection wine-data"] == ("error", "Secret connection-wine-data has no uri")


def test_what_the_profile_names_must_be_there(ward: Ward) -> None:
    ward.profile |= {
        "tracking": {"uri": "http://mlflow:5000", "credentials_secret": "mlflow"},
        "image_pull_secrets": ["registry"],
        "workspace": {"storage_class": "no-such"},
    }
    found = ward.findings()
    assert found["tracking"][0] == found["images"][0] == found["workspace"][0] == "error"
    ward.secret("mlflow", MLFLOW_TRACKING_TOKEN="t")
    ward.secret("registry", user="u")
    ward.profile["workspace"] = {}
    found = ward.findings()
    assert "tracking" not in found
    assert found["images"][0] == "warning" and "type Opaque" in found["images"][1]


@pytest.fixture
def node(api: client.ApiClient) -> Iterator[str]:
    """A node that is only an entry: nothing runs on it."""
    core, name = client.CoreV1Api(api), f"doctor-{time.monotonic_ns() % 10**9}"
    labels = {"pool": name}
    taint = client.V1Taint(key="nvidia.com/gpu", effect="NoSchedule")
    spec = client.V1NodeSpec(taints=[taint])
    core.create_node(client.V1Node(metadata=client.V1ObjectMeta(name=name, labels=labels), spec=spec))
    amounts = {"cpu": "4", "memory": "16Gi", "nvidia.com/gpu": "2", "pods": "10"}
    core.patch_node_status(name, {"status": {"allocatable": amounts, "capacity": amounts}})
    yield name
    core.delete_node(name)


def test_a_request_that_no_node_can_hold_is_told_with_numbers(ward: Ward, node: str) -> None:
    pool = {"node_selector": {"pool": node}}
    tolerated = [{"key": "nvidia.com/gpu", "operator": "Exists"}]
    ward.profile |= {"pools": {"gpu": pool, "cpu": {**pool, "tolerations": tolerated}}}
    assert ward.findings(resources={"limits": {"gpu": 2}})["nodes"][0] == "ok"
    level, message = ward.findings(resources={"limits": {"gpu": 64}})["step train"]
    assert level == "warning"
    assert message == "it asks for 64 GPUs (nvidia.com/gpu); the largest node has 2"
    message = ward.findings(resources={"limits": {"memory": "64Gi"}, "requests": {"memory": "64Gi"}})["step train"][1]
    assert message == "it asks for 64.0Gi memory; the largest node has 16.0Gi"
    ward.profile["pools"]["cpu"] = pool
    assert "takes its pods" in ward.findings()["step checkout"][1], "the taint is not tolerated"


def test_an_account_without_its_role_is_told(ward: Ward) -> None:
    account = client.V1ServiceAccount(metadata=client.V1ObjectMeta(name="odahu-argo-training"))
    ward.core.create_namespaced_service_account(ward.namespace, account)
    level, message = ward.findings()["service account"]
    assert level == "error" and "may not patch workflowtaskresults.argoproj.io: Argo cannot" in message
    assert odahu_argo("setup", "--namespace", ward.namespace, "--apply").code == 0
    level, message = ward.findings()["service account"]
    assert (level, message) == ("ok", "odahu-argo-training is there, with the rights that Argo's executor needs")


def test_without_manifests_what_the_profile_names_is_looked_at(ward: Ward) -> None:
    profile = ward.folder / "profile.yaml"
    names = "image_pull_secrets: [registry]\nexternal_connections: [pretrained]\n"
    profile.write_text(f"namespace: {ward.namespace}\n{names}")
    ran = odahu_argo("doctor", "--profile", profile, "-o", "json")
    assert ran.code == 2, ran.err
    found = {each["subject"]: each["level"] for each in json.loads(ran.out)}
    assert (found["service account"], found["images"]) == ("error", "error")
    assert (found["connection models-output"], found["connection pretrained"]) == ("warning", "warning")


def test_rights_that_are_missing_are_told(ward: Ward, tmp_path: Path) -> None:
    """As somebody who may do nothing: a service account without a role, by its token."""
    account = client.V1ServiceAccount(metadata=client.V1ObjectMeta(name="nobody"))
    ward.core.create_namespaced_service_account(ward.namespace, account)
    request = client.AuthenticationV1TokenRequest(spec=client.V1TokenRequestSpec(audiences=[]))
    token = ward.core.create_namespaced_service_account_token("nobody", ward.namespace, request).status.token
    known = yaml.safe_load(Path(os.environ["KUBECONFIG"]).read_text())
    known["users"] = [{"name": user["name"], "user": {"token": token}} for user in known["users"]]
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_text(yaml.safe_dump(known))
    environment = {**os.environ, "KUBECONFIG": str(kubeconfig)}
    profile = tmp_path / "empty.yaml"
    profile.write_text("")
    ran = odahu_argo("doctor", "-n", ward.namespace, "--profile", profile, "-o", "json", env=environment)
    assert ran.code == 2, ran.err
    found = [each for each in json.loads(ran.out) if each["subject"] == "your rights"]
    errors = {each["message"].split(" in ")[0] for each in found if each["level"] == "error"}
    assert errors == {f"you may not {verb} workflows.argoproj.io" for verb in ("create", "get", "list", "watch")}
    assert any("train logs cannot read pods" in each["message"] for each in found)
    [account] = [each for each in json.loads(ran.out) if each["subject"] == "service account"]
    assert account["level"] == "warning"
    assert account["message"].startswith("you may not ask what odahu-argo-training may do")
