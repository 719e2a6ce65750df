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


def test_what_is_created_is_read_back_and_deleted(cluster: KubeCluster) -> None:
    made = cluster.create(CONFIG_MAP, named("a", data={"key": "ä"}))
    assert cluster.get(CONFIG_MAP, "a") == made
    assert made["data"] == {"key": "ä"}
    cluster.delete(CONFIG_MAP, "a", made["metadata"]["uid"])
    with pytest.raises(NotFound, match=f"ConfigMap a does not exist in namespace {cluster.namespace}"):
        cluster.get(CONFIG_MAP, "a")


def test_a_second_creation_changes_nothing(cluster: KubeCluster) -> None:
    cluster.create(CONFIG_MAP, named("a", data={"key": "one"}))
    with pytest.raises(AlreadyExists, match="it already exists"):
        cluster.create(CONFIG_MAP, named("a", data={"key": "two"}))
    assert cluster.get(CONFIG_MAP, "a")["data"] == {"key": "one"}


def test_a_dry_run_leaves_nothing(cluster: KubeCluster) -> None:
    assert cluster.create(CONFIG_MAP, named("a"), dry_run=True)["metadata"]["name"] == "a"
    assert cluster.apply(CONFIG_MAP, named("b"), dry_run=True)["metadata"]["name"] == "b"
    assert cluster.list(CONFIG_MAP, {"x": "y"}).items == ()
    with pytest.raises(NotFound):
        cluster.get(CONFIG_MAP, "a")


def test_a_field_that_is_not_known_is_refused(cluster: KubeCluster) -> None:
    with pytest.raises(Rejected, match=r"unknown field \"datas\""):
        cluster.create(CONFIG_MAP, named("a", datas={}))


def test_all_pages_are_listed_by_label(cluster: KubeCluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kube, "PAGE_SIZE", 2)
    for name in "abcde":
        cluster.create(CONFIG_MAP, named(name, {"odd": "yes"} if name in "ace" else {"even": ""}))
    assert names(cluster, {"odd": "yes"}) == ["a", "c", "e"]
    assert names(cluster, {"even": ""}) == ["b", "d"]
    assert names(cluster, {"odd": "yes", "even": ""}) == []
    assert set("abcde") <= set(names(cluster))
    assert {item["kind"] for item in cluster.list(CONFIG_MAP).items} == {"ConfigMap"}


def test_replacing_notices_that_somebody_else_was_faster(cluster: KubeCluster) -> None:
    first = cluster.create(CONFIG_MAP, named("a", data={"key": "one"}))
    cluster.replace(CONFIG_MAP, {**first, "data": {"key": "two"}})
    with pytest.raises(Conflict):
        cluster.replace(CONFIG_MAP, {**first, "data": {"key": "three"}})
    assert cluster.get(CONFIG_MAP, "a")["data"] == {"key": "two"}


def test_a_patch_merges(cluster: KubeCluster) -> None:
    cluster.create(CONFIG_MAP, named("a", data={"key": "one", "gone": "soon"}))
    assert cluster.patch(CONFIG_MAP, "a", {"data": {"gone": None, "new": "x"}})["data"] == {"key": "one", "new": "x"}
    with pytest.raises(NotFound):
        cluster.patch(CONFIG_MAP, "b", {"data": {}})


def test_applying_creates_brings_up_to_date_and_takes_over(cluster: KubeCluster) -> None:
    assert cluster.apply(CONFIG_MAP, named("a", data={"key": "one", "gone": "soon"}))["data"]["key"] == "one"
    assert cluster.apply(CONFIG_MAP, named("a", data={"key": "two"}))["data"] == {"key": "two"}
    cluster.create(CONFIG_MAP, named("b", data={"key": "of another"}))
    assert cluster.apply(CONFIG_MAP, named("b", data={"key": "ours"}))["data"] == {"key": "ours"}


def test_only_the_object_that_is_meant_is_deleted(cluster: KubeCluster) -> None:
    cluster.create(CONFIG_MAP, named("a"))
    with pytest.raises(Conflict):
        cluster.delete(CONFIG_MAP, "a", "00000000-0000-0000-0000-000000000000")
    assert cluster.get(CONFIG_MAP, "a")
    with pytest.raises(NotFound):
        cluster.delete(CONFIG_MAP, "b")


def test_kinds_without_a_namespace_are_reached_as_well(cluster: KubeCluster) -> None:
    assert cluster.get(NAMESPACE, cluster.namespace)["status"]["phase"] == "Active"
    assert cluster.get(CUSTOM_RESOURCE_DEFINITION, "workflows.argoproj.io")["spec"]["group"] == "argoproj.io"
    attributes = {"verb": "create", "group": "argoproj.io", "resource": "workflows", "namespace": cluster.namespace}
    review = cluster.create(SELF_SUBJECT_ACCESS_REVIEW, {"spec": {"resourceAttributes": attributes}})
    assert review["status"]["allowed"] is True


def test_a_missing_namespace_and_a_missing_kind_are_told_apart(cluster: KubeCluster) -> None:
    with pytest.raises(NotFound, match="namespace not-there does not exist"):
        connect("not-there").create(CONFIG_MAP, named("a"))
    with pytest.raises(NotFound, match=r"the cluster does not support Dream \(argoproj.io/v9\)"):
        cluster.list(Kind("Dream", "dreams", "argoproj.io", "v9"))


def test_each_change_is_seen_from_a_version_on(cluster: KubeCluster) -> None:
    cluster.create(CONFIG_MAP, named("before", {"watched": "yes"}))
    version = cluster.list(CONFIG_MAP, {"watched": "yes"}).resource_version
    cluster.create(CONFIG_MAP, named("a", {"watched": "yes"}))
    cluster.create(CONFIG_MAP, named("unseen"))
    cluster.patch(CONFIG_MAP, "a", {"data": {"key": "x"}})
    cluster.delete(CONFIG_MAP, "a")
    seen = [event for event in cluster.watch(CONFIG_MAP, {"watched": "yes"}, version, 1) if event.type != "bookmark"]
    assert [(event.type, event.object["metadata"]["name"]) for event in seen] == [
        ("added", "a"),
        ("modified", "a"),
        ("deleted", "a"),
    ]


def test_a_watch_from_a_version_that_is_forgotten_says_so(cluster: KubeCluster) -> None:
    with pytest.raises(Expired):
        list(cluster.watch(WORKFLOW, None, "1", 5))


@pytest.fixture
def as_somebody(cluster: KubeCluster, api: client.ApiClient, tmp_path: Path, monkeypatch: Any) -> Iterator[KubeCluster]:
    """The same namespace, seen by an account without any rights."""
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


def test_what_an_account_may_not_do_is_named(as_somebody: KubeCluster) -> None:
    with pytest.raises(Forbidden, match=f"cannot create Workflow w-1 in namespace {as_somebody.namespace}") as raised:
        as_somebody.create(WORKFLOW, named("w-1"))
    assert f"kubectl auth can-i create workflows.argoproj.io -n {as_somebody.namespace}" in str(raised.value)
    with pytest.raises(Forbidden, match="cannot watch Workflow objects"):
        list(as_somebody.watch(WORKFLOW, None, "1"))
    with pytest.raises(Forbidden, match="cannot get the log of Pod p"):
        list(as_somebody.pod_log("p", "main"))


def test_credentials_that_are_not_accepted_are_told(cluster: KubeCluster, tmp_path: Path, monkeypatch: Any) -> None:
    stranger = connect_with("canary", cluster.namespace, tmp_path, monkeypatch)
    with pytest.raises(Forbidden, match="rejects the credentials") as raised:
        stranger.get(POD, "a")
    assert "canary" not in str(raised.value)


def test_an_authority_that_did_not_sign_is_told(kubeconfig: str, tmp_path: Path, monkeypatch: Any) -> None:
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
