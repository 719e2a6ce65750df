"""What a person at a terminal is told when the cluster cannot be used: one error that names the cause, and a remedy."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import yaml
from kubernetes import client

from odahu_argo.kube.client import KubeCluster
from odahu_argo.kube.cluster import SECRET
from tests.commands import Ran, odahu_argo
from tests.manifests import training, write

pytestmark = pytest.mark.cluster
SECRETS = {
    "code": ("git", "https://git.example.org/x.git"),
    "wine-data": ("s3", "s3://a/"),
    "models-output": ("s3", "s3://b/"),
}


def create(folder: Path, namespace: str, **change: Any) -> Ran:
    """`train create` with a kubeconfig in which every cluster or user is changed."""
    known = yaml.safe_load(Path(os.environ["KUBECONFIG"]).read_text())
    for kind, values in change.items():
        for each in known[f"{kind}s"]:
            each[kind] = {**each[kind], **values} if kind == "cluster" else values
    kubeconfig = folder / "kubeconfig"
    kubeconfig.write_text(yaml.safe_dump(known))
    environment = {**os.environ, "KUBECONFIG": str(kubeconfig)}
    return odahu_argo("train", "create", "-f", write(folder, training()), "-n", namespace, "--no-wait", env=environment)


def errors(ran: Ran) -> list[str]:
    return [line for line in ran.err.splitlines() if line.startswith("error: ")]


def test_a_namespace_that_is_not_there_is_the_only_error(kubeconfig: str, tmp_path: Path) -> None:
    ran = create(tmp_path, "nowhere-at-all")
    assert (ran.code, errors(ran)) == (2, ["error: namespace: there is no namespace nowhere-at-all"])


def test_credentials_that_have_expired_are_told_as_that(cluster: KubeCluster, tmp_path: Path) -> None:
    ran = create(tmp_path, cluster.namespace, user={"token": "expired"})
    [error] = errors(ran)
    assert ran.code == 2 and error.endswith("the API server rejects the credentials")
    assert "hint: log in again" in ran.err and "expired" not in ran.err


def test_a_cluster_that_does_not_answer_is_told_with_its_address(kubeconfig: str, tmp_path: Path) -> None:
    ran = create(tmp_path, "ml", cluster={"server": "https://127.0.0.1:1"})
    [error] = errors(ran)
    assert ran.code == 3 and error.endswith("no response from https://127.0.0.1:1: connection refused")


def test_a_quota_that_is_used_up_is_told_with_its_name(
    api: client.ApiClient, cluster: KubeCluster, tmp_path: Path
) -> None:
    assert odahu_argo("setup", "-n", cluster.namespace, "--apply").code == 0
    for name, (kind, uri) in SECRETS.items():
        body = {"metadata": {"name": f"connection-{name}"}, "stringData": {"type": kind, "uri": uri}}
        cluster.create(SECRET, body)
    none = {"count/workflows.argoproj.io": "0"}
    quota = {"metadata": {"name": "few"}, "spec": {"hard": none}}
    core = client.CoreV1Api(api)
    core.create_namespaced_resource_quota(cluster.namespace, quota)
    counted = {"status": {"hard": none, "used": none}}  # by Kubernetes' controller, where there is one
    core.patch_namespaced_resource_quota_status("few", cluster.namespace, counted)
    ran = create(tmp_path, cluster.namespace)
    [error] = errors(ran)
    assert ran.code == 2 and "exceeded quota: few" in error
    assert f"kubectl describe quota -n {cluster.namespace}" in ran.err
