"""`odahu-argo setup mlflow` and its Helm chart on a real Kubernetes API."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
import yaml
from kubernetes import client, utils

from odahu_argo.kube.client import KubeCluster
from odahu_argo.kube.cluster import (
    CONFIG_MAP,
    DEPLOYMENT,
    INGRESS,
    NAMESPACE,
    PERSISTENT_VOLUME_CLAIM,
    ROLE,
    ROLE_BINDING,
    SECRET,
    SERVICE,
    SERVICE_ACCOUNT,
    Kind,
)
from odahu_argo.manifest.load import load
from odahu_argo.profile import Profile
from odahu_argo.trainings.submit import plan_for_cluster
from tests.commands import odahu_argo
from tests.conftest import ROOT
from tests.manifests import training, write
from tests.servers.helm import Helm

pytestmark = pytest.mark.cluster

FILES = sorted((ROOT / "tests" / "golden" / "mlflow").glob("*.values.yaml"))
CANARY = "canary-Zm9vYmFy"
KINDS = (PERSISTENT_VOLUME_CLAIM, DEPLOYMENT, SERVICE, CONFIG_MAP)


@pytest.fixture
def ready(cluster: KubeCluster) -> KubeCluster:
    """A namespace that admits restricted pods only, with the Secrets of the values files."""
    cluster.patch(
        NAMESPACE, cluster.namespace, {"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "restricted"}}}
    )
    for connection in ("models-output", "wine-models"):
        fields = {"type": "s3", "uri": "s3://bucket/models", "keyID": "AK", "keySecret": CANARY}
        body = {"metadata": {"name": f"connection-{connection}"}, "type": "Opaque", "stringData": fields}
        cluster.create(SECRET, body)
    uri = {"uri": f"postgresql://mlflow:{CANARY}@db/mlflow"}
    cluster.create(SECRET, {"metadata": {"name": "mlflow-db-app"}, "type": "Opaque", "stringData": uri})
    return cluster


def setup(cluster: KubeCluster, *options: object) -> Any:
    return odahu_argo("setup", "mlflow", "-n", cluster.namespace, *options)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name.partition(".")[0])
def test_printed_manifests_are_valid_and_the_pod_is_admitted(
    api: client.ApiClient, ready: KubeCluster, file: Path
) -> None:
    printed = setup(ready, "--values", file)
    assert printed.code == 0, printed.err
    assert CANARY not in printed.out
    for manifest in yaml.safe_load_all(printed.out):
        utils.create_from_dict(api, manifest, dry_run="All", field_validation="Strict")
        utils.create_from_dict(api, manifest)
    applied = setup(ready, "--values", file, "--apply")
    assert {line.split()[-1] for line in applied.out.splitlines()} == {"unchanged"}, applied.out + applied.err
    template = ready.list(DEPLOYMENT).items[0]["spec"]["template"]
    pod = {"metadata": {"name": "mlflow", "labels": template["metadata"]["labels"]}, "spec": template["spec"]}
    assert ready.create(Kind("Pod", "pods"), pod, dry_run=True)["metadata"]["name"] == "mlflow"


def test_reinstalling_changes_only_affected_objects(ready: KubeCluster, tmp_path: Path) -> None:
    first = setup(ready, "--apply")
    assert first.code == 0, first.err
    assert first.out.splitlines() == [
        "ServiceAccount mlflow created",
        "PersistentVolumeClaim mlflow created",
        "Deployment mlflow created",
        "Service mlflow created",
        "ConfigMap toolchain-mlflow created",
        "ConfigMap toolchain-mlflow-project created",
    ]
    uri = f"http://mlflow.{ready.namespace}.svc.cluster.local/mlflow"
    assert f"add to the profile (docs/reference/profile.md): tracking: {{uri: '{uri}'}}" in first.err
    assert setup(ready, "--apply").out == first.out.replace("created", "unchanged")
    values = tmp_path / "values.yaml"
    values.write_text("workers: 4\ningress: {enabled: true, host: ml.example.org}\n")
    third = setup(ready, "--apply", "--values", values)
    changed = [line for line in third.out.splitlines() if not line.endswith("unchanged")]
    assert changed == ["Deployment mlflow configured", "Ingress mlflow created"]
    assert ready.get(INGRESS, "mlflow")["spec"]["rules"][0]["http"]["paths"][0]["path"] == "/mlflow"


def test_trainings_use_the_server_of_the_registered_toolchain(ready: KubeCluster, tmp_path: Path) -> None:
    assert setup(ready, "--apply").code == 0
    result = odahu_argo("ti", "get", "--id", "mlflow", "-n", ready.namespace, "-o", "json")
    [toolchain] = json.loads(result.out)
    uri = f"http://mlflow.{ready.namespace}.svc.cluster.local/mlflow"
    assert toolchain["spec"] == {"entrypoint": "mlflow", "additionalEnvironments": {"MLFLOW_TRACKING_URI": uri}}
    [plan] = plan_for_cluster(ready, load([write(tmp_path, training())]), Profile())
    assert plan.tracking == "training"
    for step in ("train", "package"):
        assert plan.step(step).spec.environment["MLFLOW_TRACKING_URI"] == uri  # type: ignore[union-attr]


def test_existing_toolchain_keeps_its_settings(ready: KubeCluster, tmp_path: Path) -> None:
    file = tmp_path / "toolchain.yaml"
    own = {
        "entrypoint": "mlflow",
        "defaultImage": "registry.example.org/ours:1",
        "additionalEnvironments": {"PROXY": "http://p", "MLFLOW_TRACKING_URI": "http://old"},
    }
    file.write_text(yaml.safe_dump({"kind": "ToolchainIntegration", "id": "mlflow", "spec": own}))
    assert odahu_argo("ti", "create", "-f", file, "-n", ready.namespace).code == 0
    applied = setup(ready, "--apply")
    assert "ConfigMap toolchain-mlflow configured" in applied.out, applied.err
    kept = json.loads(ready.get(CONFIG_MAP, "toolchain-mlflow")["data"]["toolchain.json"])["spec"]
    uri = f"http://mlflow.{ready.namespace}.svc.cluster.local/mlflow"
    assert kept == {**own, "additionalEnvironments": {"PROXY": "http://p", "MLFLOW_TRACKING_URI": uri}}


@pytest.mark.parametrize(
    ("profile", "lines", "note"),
    [
        (
            "# ours\noutput_connection: zips\n",
            ["# ours", "output_connection: zips", "tracking:"],
            "added to ConfigMap odahu-argo-profile: tracking: {uri: 'http://mlflow.",
        ),
        (
            "output_connection: zips",
            ["output_connection: zips", "tracking:"],
            "added to ConfigMap odahu-argo-profile: tracking: {uri: 'http://mlflow.",
        ),
        (
            "tracking: {url: 'https://ml.example.org'}\n",
            None,
            "because its format does not allow it; add to the profile",
        ),
        (
            "{output_connection: zips}\n",
            None,
            "because its format does not allow it; add to the profile",
        ),
        ("tracking: {uri: 'http://theirs'}\n", None, "specifies another server, http://theirs, and was not changed"),
    ],
)
def test_server_is_added_to_a_profile_without_a_server(
    ready: KubeCluster, profile: str, lines: list[str] | None, note: str
) -> None:
    metadata = {"name": "odahu-argo-profile"}
    ready.create(CONFIG_MAP, {"metadata": metadata, "data": {"profile.yaml": profile}})
    applied = setup(ready, "--apply")
    assert applied.code == 0, applied.err
    assert note in applied.err
    text = ready.get(CONFIG_MAP, "odahu-argo-profile")["data"]["profile.yaml"]
    if lines is None:
        assert text == profile
    else:
        assert text.splitlines()[:-1] == lines
        assert "note" not in setup(ready, "--apply").err


def test_external_url_is_added_to_the_profile(ready: KubeCluster, tmp_path: Path) -> None:
    values = tmp_path / "values.yaml"
    values.write_text("ingress: {enabled: true, host: ml.example.org, tlsSecret: certificate}\n")
    ready.create(CONFIG_MAP, {"metadata": {"name": "odahu-argo-profile"}, "data": {"profile.yaml": "parallelism: 4\n"}})
    assert setup(ready, "--apply", "--values", values).code == 0
    uri = f"http://mlflow.{ready.namespace}.svc.cluster.local/mlflow"
    stored = yaml.safe_load(ready.get(CONFIG_MAP, "odahu-argo-profile")["data"]["profile.yaml"])
    assert stored == {"parallelism": 4, "tracking": {"uri": uri, "url": "https://ml.example.org/mlflow"}}


def test_installation_without_permission_to_read_secrets_or_profile(
    api: client.ApiClient, ready: KubeCluster, kubeconfig: str, tmp_path: Path
) -> None:
    rights = {"": ["serviceaccounts", "persistentvolumeclaims", "services"], "apps": ["deployments"]}
    rules = [{"apiGroups": [g], "resources": r, "verbs": ["get", "create", "patch"]} for g, r in rights.items()]
    name = {"metadata": {"name": "installer"}}
    ready.create(SERVICE_ACCOUNT, name)
    ready.create(ROLE, {**name, "rules": rules})
    role = {"apiGroup": ROLE.group, "kind": ROLE.name, "name": "installer"}
    account = {"kind": "ServiceAccount", "name": "installer", "namespace": ready.namespace}
    ready.create(ROLE_BINDING, {**name, "roleRef": role, "subjects": [account]})
    request = client.AuthenticationV1TokenRequest(spec=client.V1TokenRequestSpec(audiences=[]))
    core = client.CoreV1Api(api)
    token = core.create_namespaced_service_account_token("installer", ready.namespace, request).status.token
    config = yaml.safe_load(Path(kubeconfig).read_text())
    for user in config["users"]:
        user["user"] = {"token": token}
    (tmp_path / "kubeconfig").write_text(yaml.safe_dump(config))
    values = tmp_path / "values.yaml"
    values.write_text("toolchains: {register: false}\n")
    environment = {**os.environ, "KUBECONFIG": str(tmp_path / "kubeconfig")}
    result = odahu_argo("setup", "mlflow", "-n", ready.namespace, "--values", values, "--apply", env=environment)
    assert result.code == 0, result.err
    assert "Deployment mlflow created" in result.out
    uri = f"http://mlflow.{ready.namespace}.svc.cluster.local/mlflow"
    assert f"no permission to change the profile on the cluster; add to it: tracking: {{uri: '{uri}'}}" in result.err


def test_missing_or_unusable_secrets_prevent_the_installation(cluster: KubeCluster, tmp_path: Path) -> None:
    values = tmp_path / "values.yaml"
    values.write_text("database: {secret: db}\n")
    missing = setup(cluster, "--apply", "--values", values)
    assert (missing.code, missing.out) == (2, "")
    assert "artifacts.connection: there is no connection 'models-output' in the namespace" in missing.err
    assert "database.secret: there is no Secret db in the namespace" in missing.err
    assert "kubectl create secret generic db --from-literal=uri=" in missing.err
    cluster.create(SECRET, {"metadata": {"name": "db"}, "type": "Opaque", "stringData": {"url": CANARY}})
    fields = {"type": "git", "uri": "https://git.example.org/a"}
    body = {"metadata": {"name": "connection-models-output"}, "type": "Opaque", "stringData": fields}
    cluster.create(SECRET, body)
    wrong = setup(cluster, "--apply", "--values", values)
    assert (wrong.code, wrong.out) == (2, "")
    assert "connection 'models-output' has type git" in wrong.err
    assert "the Secret db has no key uri; its keys: url" in wrong.err
    assert CANARY not in wrong.err
    for kind in KINDS[:3]:
        assert not cluster.list(kind).items


def test_rejected_object_prevents_the_installation_of_all(ready: KubeCluster, tmp_path: Path) -> None:
    values = tmp_path / "values.yaml"
    values.write_text("resources: {requests: {memory: 8Gi}}\n")
    rejected = setup(ready, "--apply", "--values", values)
    assert (rejected.code, rejected.out) == (2, "")
    assert "cannot patch Deployment mlflow" in rejected.err
    for kind in KINDS[:3]:
        assert not ready.list(kind).items


def test_chart_can_be_installed_upgraded_and_uninstalled_without_its_claim(
    helm: Helm, kubeconfig: str, ready: KubeCluster, tmp_path: Path
) -> None:
    chart = ROOT / "templates" / "chart"
    target = ("--namespace", ready.namespace, "--kubeconfig", kubeconfig)
    dry_run = helm.run("install", "mlflow", chart, *target, "--dry-run=server")
    assert dry_run.returncode == 0, dry_run.stderr
    installed = helm.run("install", "mlflow", chart, *target)
    assert installed.returncode == 0, installed.stderr
    uri = f"http://mlflow.{ready.namespace}.svc.cluster.local/mlflow"
    assert f"for pods of this cluster: {uri}" in installed.stdout
    result = odahu_argo("ti", "get", "--id", "mlflow-project", "-n", ready.namespace, "-o", "json")
    assert json.loads(result.out)[0]["spec"]["additionalEnvironments"] == {"MLFLOW_TRACKING_URI": uri}
    [file] = [file for file in FILES if file.name.startswith("postgresql")]
    upgraded = helm.run("upgrade", "mlflow", chart, *target, "--values", file)
    assert upgraded.returncode == 0, upgraded.stderr
    assert ready.get(INGRESS, "mlflow")["spec"]["tls"][0]["secretName"] == "ml-certificate"
    assert helm.run("uninstall", "mlflow", *target).returncode == 0
    assert not ready.list(DEPLOYMENT).items
    assert [item["metadata"]["name"] for item in ready.list(PERSISTENT_VOLUME_CLAIM).items] == ["mlflow"]
