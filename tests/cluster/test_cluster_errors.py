"""Commands report one error with its cause and a hint if the cluster cannot be used."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import yaml
from kubernetes import client

from odahu_argo.kube.client import KubeCluster
from odahu_argo.kube.cluster import SECRET
from tests.commands import CommandResult, odahu_argo
from tests.manifests import training, write

pytestmark = pytest.mark.cluster
SECRETS = {
    "code": ("git", "https://git.example.org/x.git"),
    "wine-data": ("s3", "s3://a/"),
    "models-output": ("s3", "s3://b/"),
}


def create(folder: Path, namespace: str, **change: Any) -> CommandResult:
    """Run `train create` with changed clusters or users in the kubeconfig."""
    config = yaml.safe_load(Path(os.environ["KUBECONFIG"]).read_text())
    for kind, values in change.items():
        for entry in config[f"{kind}s"]:
            entry[kind] = {**entry[kind], **values} if kind == "cluster" else values
    kubeconfig = folder / "kubeconfig"
    kubeconfig.write_text(yaml.safe_dump(config))
    environment = {**os.environ, "KUBECONFIG": str(kubeconfig)}
    return odahu_argo("train", "create", "-f", write(folder, training()), "-n", namespace, "--no-wait", env=environment)


def errors(result: CommandResult) -> list[str]:
    return [line for line in result.err.splitlines() if line.startswith("error: ")]


def test_reports_only_a_missing_namespace(kubeconfig: str, tmp_path: Path) -> None:
    result = create(tmp_path, "nowhere-at-all")
    assert (result.code, errors(result)) == (2, ["error: namespace: namespace nowhere-at-all does not exist"])


def test_reports_expired_credentials(cluster: KubeCluster, tmp_path: Path) -> None:
    result = create(tmp_path, cluster.namespace, user={"token": "expired"})
    [error] = errors(result)
    assert result.code == 2 and error.endswith("the API server rejects the credentials")
    assert "hint: log in again" in result.err and "expired" not in result.err


def test_reports_the_address_of_an_unreachable_server(kubeconfig: str, tmp_path: Path) -> None:
    result = create(tmp_path, "ml", cluster={"server": "https://127.0.0.1:1"})
    [error] = errors(result)
    assert result.code == 3 and error.endswith("no response from https://127.0.0.1:1: connection refused")


def test_reports_the_name_of_an_exhausted_quota(api: client.ApiClient, cluster: KubeCluster, tmp_path: Path) -> None:
    assert odahu_argo("setup", "-n", cluster.namespace, "--apply").code == 0
    for name, (kind, uri) in SECRETS.items():
        body = {"metadata": {"name": f"connection-{name}"}, "stringData": {"type": kind, "uri": uri}}
        cluster.create(SECRET, body)
    none = {"count/workflows.argoproj.io": "0"}
    quota = {"metadata": {"name": "few"}, "spec": {"hard": none}}
    core = client.CoreV1Api(api)
    core.create_namespaced_resource_quota(cluster.namespace, quota)
    status = {"status": {"hard": none, "used": none}}  # This cluster has no quota controller.
    core.patch_namespaced_resource_quota_status("few", cluster.namespace, status)
    result = create(tmp_path, cluster.namespace)
    [error] = errors(result)
    assert result.code == 2 and "exceeded quota: few" in error
    assert f"kubectl describe quota -n {cluster.namespace}" in result.err
