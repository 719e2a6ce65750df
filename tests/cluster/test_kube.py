"""The Cluster protocol on a real Kubernetes API."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme
import yaml
from kubernetes import client

from odahu_argo.errors import (
    AlreadyExists,
    Conflict,
    Expired,
    Forbidden,
    NotFound,
    OdahuArgoError,
    Rejected,
    Unreachable,
)
from odahu_argo.kube import client as kube
from odahu_argo.kube.client import KubeCluster, connect
from odahu_argo.kube.cluster import (
    CONFIG_MAP,
    CUSTOM_RESOURCE_DEFINITION,
    NAMESPACE,
    POD,
    SELF_SUBJECT_ACCESS_REVIEW,
    SERVICE_ACCOUNT,
    WORKFLOW,
    Kind,
    Object,
)

pytestmark = pytest.mark.cluster


def named(name: str, labels: dict[str, str] | None = None, **more: Any) -> Object:
    return {"metadata": {"name": name, "labels": labels or {}}, **more}


def names(cluster: KubeCluster, labels: dict[str, str] | None = None) -> list[str]:
    return [item["metadata"]["name"] for item in cluster.list(CONFIG_MAP, labels).items]


def test_create_get_and_delete(cluster: KubeCluster) -> None:
    created = cluster.create(CONFIG_MAP, named("a", data={"key": "ä"}))
    assert cluster.get(CONFIG_MAP, "a") == created
    assert created["data"] == {"key": "ä"}
    cluster.delete(CONFIG_MAP, "a", created["metadata"]["uid"])
    with pytest.raises(NotFound, match=f"ConfigMap a does not exist in namespace {cluster.namespace}"):
        cluster.get(CONFIG_MAP, "a")


def test_create_rejects_an_existing_name(cluster: KubeCluster) -> None:
    cluster.create(CONFIG_MAP, named("a", data={"key": "one"}))
    with pytest.raises(AlreadyExists, match="it already exists"):
        cluster.create(CONFIG_MAP, named("a", data={"key": "two"}))
    assert cluster.get(CONFIG_MAP, "a")["data"] == {"key": "one"}


def test_dry_run_stores_nothing(cluster: KubeCluster) -> None:
    assert cluster.create(CONFIG_MAP, named("a"), dry_run=True)["metadata"]["name"] == "a"
    assert cluster.apply(CONFIG_MAP, named("b"), dry_run=True)["metadata"]["name"] == "b"
    assert cluster.list(CONFIG_MAP, {"x": "y"}).items == ()
    with pytest.raises(NotFound):
        cluster.get(CONFIG_MAP, "a")


def test_create_rejects_unknown_fields(cluster: KubeCluster) -> None:
    with pytest.raises(Rejected, match=r"unknown field \"datas\""):
        cluster.create(CONFIG_MAP, named("a", datas={}))


def test_list_reads_all_pages_and_selects_by_labels(cluster: KubeCluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kube, "PAGE_SIZE", 2)
    for name in "abcde":
        cluster.create(CONFIG_MAP, named(name, {"odd": "yes"} if name in "ace" else {"even": ""}))
    assert names(cluster, {"odd": "yes"}) == ["a", "c", "e"]
    assert names(cluster, {"even": ""}) == ["b", "d"]
    assert names(cluster, {"odd": "yes", "even": ""}) == []
    assert set("abcde") <= set(names(cluster))
    assert {item["kind"] for item in cluster.list(CONFIG_MAP).items} == {"ConfigMap"}


def test_replace_rejects_an_old_version(cluster: KubeCluster) -> None:
    first = cluster.create(CONFIG_MAP, named("a", data={"key": "one"}))
    cluster.replace(CONFIG_MAP, {**first, "data": {"key": "two"}})
    with pytest.raises(Conflict):
        cluster.replace(CONFIG_MAP, {**first, "data": {"key": "three"}})
    assert cluster.get(CONFIG_MAP, "a")["data"] == {"key": "two"}


def test_patch_merges(cluster: KubeCluster) -> None:
    cluster.create(CONFIG_MAP, named("a", data={"key": "one", "gone": "soon"}))
    assert cluster.patch(CONFIG_MAP, "a", {"data": {"gone": None, "new": "x"}})["data"] == {"key": "one", "new": "x"}
    with pytest.raises(NotFound):
        cluster.patch(CONFIG_MAP, "b", {"data": {}})


def test_apply_creates_updates_and_takes_over_fields(cluster: KubeCluster) -> None:
    assert cluster.apply(CONFIG_MAP, named("a", data={"key": "one", "gone": "soon"}))["data"]["key"] == "one"
    assert cluster.apply(CONFIG_MAP, named("a", data={"key": "two"}))["data"] == {"key": "two"}
    cluster.create(CONFIG_MAP, named("b", data={"key": "other"}))
    assert cluster.apply(CONFIG_MAP, named("b", data={"key": "ours"}))["data"] == {"key": "ours"}


def test_delete_checks_the_uid(cluster: KubeCluster) -> None:
    cluster.create(CONFIG_MAP, named("a"))
    with pytest.raises(Conflict):
        cluster.delete(CONFIG_MAP, "a", "00000000-0000-0000-0000-000000000000")
    assert cluster.get(CONFIG_MAP, "a")
    with pytest.raises(NotFound):
        cluster.delete(CONFIG_MAP, "b")


def test_reads_cluster_scoped_kinds(cluster: KubeCluster) -> None:
    assert cluster.get(NAMESPACE, cluster.namespace)["status"]["phase"] == "Active"
    assert cluster.get(CUSTOM_RESOURCE_DEFINITION, "workflows.argoproj.io")["spec"]["group"] == "argoproj.io"
    attributes = {"verb": "create", "group": "argoproj.io", "resource": "workflows", "namespace": cluster.namespace}
    review = cluster.create(SELF_SUBJECT_ACCESS_REVIEW, {"spec": {"resourceAttributes": attributes}})
    assert review["status"]["allowed"] is True


def test_distinguishes_a_missing_namespace_from_an_unsupported_kind(cluster: KubeCluster) -> None:
    with pytest.raises(NotFound, match="namespace not-there does not exist"):
        connect("not-there").create(CONFIG_MAP, named("a"))
    with pytest.raises(NotFound, match=r"the cluster does not support Dream \(argoproj.io/v9\)"):
        cluster.list(Kind("Dream", "dreams", "argoproj.io", "v9"))


def test_watch_yields_changes_after_a_version(cluster: KubeCluster) -> None:
    cluster.create(CONFIG_MAP, named("before", {"watched": "yes"}))
    version = cluster.list(CONFIG_MAP, {"watched": "yes"}).resource_version
    cluster.create(CONFIG_MAP, named("a", {"watched": "yes"}))
    cluster.create(CONFIG_MAP, named("unseen"))
    cluster.patch(CONFIG_MAP, "a", {"data": {"key": "x"}})
    cluster.delete(CONFIG_MAP, "a")
    events = [event for event in cluster.watch(CONFIG_MAP, {"watched": "yes"}, version, 1) if event.type != "bookmark"]
    assert [(event.type, event.object["metadata"]["name"]) for event in events] == [
        ("added", "a"),
        ("modified", "a"),
        ("deleted", "a"),
    ]


def test_watch_raises_for_an_expired_version(cluster: KubeCluster) -> None:
    with pytest.raises(Expired):
        list(cluster.watch(WORKFLOW, None, "1", 5))


@pytest.fixture
def as_account_without_rights(
    cluster: KubeCluster, api: client.ApiClient, tmp_path: Path, monkeypatch: Any
) -> Iterator[KubeCluster]:
    """The same namespace with the token of an account that has no permissions."""
    cluster.create(SERVICE_ACCOUNT, named("somebody"))
    request = client.AuthenticationV1TokenRequest(spec=client.V1TokenRequestSpec(audiences=[]))
    token = client.CoreV1Api(api).create_namespaced_service_account_token("somebody", cluster.namespace, request)
    yield connect_with(token.status.token, cluster.namespace, tmp_path, monkeypatch)


def connect_with(token: str, namespace: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> KubeCluster:
    config = yaml.safe_load(Path(os.environ["KUBECONFIG"]).read_text())
    config["users"][0]["user"] = {"token": token}
    (folder / "kubeconfig").write_text(yaml.safe_dump(config))
    with monkeypatch.context() as patched:
        patched.setenv("KUBECONFIG", str(folder / "kubeconfig"))
        return connect(namespace)


def test_names_the_forbidden_action(as_account_without_rights: KubeCluster) -> None:
    with pytest.raises(
        Forbidden, match=f"cannot create Workflow w-1 in namespace {as_account_without_rights.namespace}"
    ) as raised:
        as_account_without_rights.create(WORKFLOW, named("w-1"))
    assert f"kubectl auth can-i create workflows.argoproj.io -n {as_account_without_rights.namespace}" in str(
        raised.value
    )
    with pytest.raises(Forbidden, match="cannot watch Workflow objects"):
        list(as_account_without_rights.watch(WORKFLOW, None, "1"))
    with pytest.raises(Forbidden, match="cannot get the log of Pod p"):
        list(as_account_without_rights.pod_log("p", "main"))


def test_reports_rejected_credentials(cluster: KubeCluster, tmp_path: Path, monkeypatch: Any) -> None:
    stranger = connect_with("canary", cluster.namespace, tmp_path, monkeypatch)
    with pytest.raises(Forbidden, match="rejects the credentials") as raised:
        stranger.get(POD, "a")
    assert "canary" not in str(raised.value)


def test_reports_an_untrusted_certificate(kubeconfig: str, tmp_path: Path, monkeypatch: Any) -> None:
    authority = tmp_path / "authority.pem"
    trustme.CA().cert_pem.write_to_path(str(authority))
    config = yaml.safe_load(Path(kubeconfig).read_text())
    server = config["clusters"][0]["cluster"]["server"]
    config["clusters"][0]["cluster"] = {"server": server, "certificate-authority": str(authority)}
    (tmp_path / "kubeconfig").write_text(yaml.safe_dump(config))
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "kubeconfig"))
    with pytest.raises(OdahuArgoError) as raised:
        connect().get(POD, "a")
    assert isinstance(raised.value, Unreachable)
    assert f"the certificate of {server} is not trusted" in str(raised.value)
