"""The contract of the `Cluster` protocol, checked on a real API server and on the in-memory fake."""

from __future__ import annotations

from typing import Any

import pytest

from odahu_argo.errors import AlreadyExists, Conflict, Expired, NotFound, Rejected, Unreachable
from odahu_argo.kube.cluster import CONFIG_MAP, POD, SELF_SUBJECT_ACCESS_REVIEW, WORKFLOW, Cluster, Object
from tests.fakes.cluster import InMemoryCluster


@pytest.fixture(params=[pytest.param("real", marks=pytest.mark.cluster), "in-memory"])
def either(request: pytest.FixtureRequest) -> Cluster:
    """A real cluster or the fake."""
    cluster: Cluster = InMemoryCluster("ml") if request.param == "in-memory" else request.getfixturevalue("cluster")
    return cluster


def config_map(name: str, labels: dict[str, str] | None = None, **data: str) -> Object:
    return {"metadata": {"name": name, "labels": labels or {}}, "data": data}


def names(cluster: Cluster, **selectors: Any) -> list[str]:
    return [item["metadata"]["name"] for item in cluster.list(CONFIG_MAP, **selectors).items]


def test_create_returns_the_stored_object(either: Cluster) -> None:
    created = either.create(CONFIG_MAP, config_map("a", key="1"))
    assert either.get(CONFIG_MAP, "a") == created
    assert (created["kind"], created["apiVersion"], created["data"]) == ("ConfigMap", "v1", {"key": "1"})
    assert created["metadata"]["namespace"] == either.namespace
    assert {"uid", "resourceVersion", "creationTimestamp"} <= set(created["metadata"])


def test_create_generates_a_name(either: Cluster) -> None:
    created = either.create(CONFIG_MAP, {"metadata": {"generateName": "run-"}})
    assert created["metadata"]["name"].startswith("run-")
    assert len(created["metadata"]["name"]) > len("run-")


def test_create_rejects_an_existing_name(either: Cluster) -> None:
    either.create(CONFIG_MAP, config_map("a", key="1"))
    with pytest.raises(AlreadyExists):
        either.create(CONFIG_MAP, config_map("a", key="2"))
    assert either.get(CONFIG_MAP, "a")["data"] == {"key": "1"}


def test_dry_run_stores_nothing(either: Cluster) -> None:
    assert either.create(CONFIG_MAP, config_map("a"), dry_run=True)["metadata"]["name"] == "a"
    assert either.apply(CONFIG_MAP, config_map("b"), dry_run=True)["metadata"]["name"] == "b"
    for name in "ab":
        with pytest.raises(NotFound, match=f"ConfigMap {name}"):
            either.get(CONFIG_MAP, name)


def test_list_selects_by_labels_and_fields(either: Cluster) -> None:
    for name, labels in {"a": {"x": "1"}, "b": {"x": "2", "y": ""}, "c": {"y": ""}}.items():
        either.create(CONFIG_MAP, config_map(name, labels))
    assert names(either, labels={"x": "1"}) == ["a"]
    assert names(either, labels={"x": ""}) == ["a", "b"]
    assert names(either, labels={"x": "2", "y": ""}) == ["b"]
    assert names(either, fields={"metadata.name": "c"}) == ["c"]
    assert either.gather(CONFIG_MAP, lambda item: item["kind"], {"y": ""}).items == ("ConfigMap", "ConfigMap")


def test_replace_rejects_an_old_version(either: Cluster) -> None:
    first = either.create(CONFIG_MAP, config_map("a", key="1"))
    second = either.replace(CONFIG_MAP, {**first, "data": {"key": "2"}})
    assert second["metadata"]["uid"] == first["metadata"]["uid"]
    with pytest.raises(Conflict):
        either.replace(CONFIG_MAP, {**first, "data": {"key": "3"}})
    with pytest.raises(NotFound):
        either.replace(CONFIG_MAP, config_map("b"))
    assert either.get(CONFIG_MAP, "a") == second


def test_patch_merges_and_removes(either: Cluster) -> None:
    created = either.create(CONFIG_MAP, config_map("a", key="1", old="x"))
    patched = either.patch(CONFIG_MAP, "a", {"data": {"old": None, "new": "y"}})
    assert patched["data"] == {"key": "1", "new": "y"}
    assert patched["metadata"]["resourceVersion"] != created["metadata"]["resourceVersion"]
    assert either.patch(CONFIG_MAP, "a", {"data": {"new": "y"}}) == patched
    with pytest.raises(NotFound):
        either.patch(CONFIG_MAP, "b", {"data": {}})


def test_apply_creates_updates_and_removes_its_own_fields(either: Cluster) -> None:
    assert either.apply(CONFIG_MAP, config_map("a", key="1", old="x"))["data"] == {"key": "1", "old": "x"}
    either.patch(CONFIG_MAP, "a", {"metadata": {"annotations": {"other": "manager"}}})
    applied = either.apply(CONFIG_MAP, config_map("a", key="2"))
    assert applied["data"] == {"key": "2"}
    assert applied["metadata"]["annotations"] == {"other": "manager"}


def test_delete_checks_the_uid(either: Cluster) -> None:
    uid = either.create(CONFIG_MAP, config_map("a"))["metadata"]["uid"]
    with pytest.raises(Conflict):
        either.delete(CONFIG_MAP, "a", "00000000-0000-0000-0000-000000000000")
    either.delete(CONFIG_MAP, "a", uid)
    with pytest.raises(NotFound):
        either.delete(CONFIG_MAP, "a")


def test_watch_yields_changes_of_selected_objects(either: Cluster) -> None:
    either.create(CONFIG_MAP, config_map("before", {"x": "1"}))
    version = either.list(CONFIG_MAP, {"x": ""}).resource_version
    either.create(CONFIG_MAP, config_map("a", {"x": "1"}))
    either.create(CONFIG_MAP, config_map("other"))
    either.patch(CONFIG_MAP, "a", {"data": {"key": "1"}})
    either.patch(CONFIG_MAP, "a", {"metadata": {"labels": {"x": None}}})
    either.patch(CONFIG_MAP, "other", {"metadata": {"labels": {"x": "1"}}})
    either.delete(CONFIG_MAP, "other")
    events = [event for event in either.watch(CONFIG_MAP, {"x": ""}, version, 1) if event.type != "bookmark"]
    assert [(event.type, event.object["metadata"]["name"]) for event in events] == [
        ("added", "a"),
        ("modified", "a"),
        ("deleted", "a"),
        ("added", "other"),
        ("deleted", "other"),
    ]
    versions = [int(event.object["metadata"]["resourceVersion"]) for event in events]
    assert versions == sorted(set(versions))


def test_log_of_a_missing_pod_raises_not_found(either: Cluster) -> None:
    with pytest.raises(NotFound):
        list(either.pod_log("missing", "main"))


def test_access_reviews_return_a_status(either: Cluster) -> None:
    attributes = {"verb": "create", "group": "argoproj.io", "resource": "workflows", "namespace": either.namespace}
    review = either.create(SELF_SUBJECT_ACCESS_REVIEW, {"spec": {"resourceAttributes": attributes}})
    assert review["status"]["allowed"] is True


def test_fake_records_requests() -> None:
    fake = InMemoryCluster("ml")
    fake.create(WORKFLOW, {"metadata": {"name": "w"}})
    fake.get(WORKFLOW, "w")
    assert [(request.verb, request.kind, request.name) for request in fake.requests] == [
        ("create", "Workflow", "w"),
        ("get", "Workflow", "w"),
    ]
    assert [request.verb for request in fake.writes] == ["create"]


def test_fake_raises_scripted_failures_once() -> None:
    fake = InMemoryCluster("ml")
    fake.fail_next("list", Unreachable("the API server is down"))
    with pytest.raises(Unreachable):
        fake.list(WORKFLOW)
    assert fake.list(WORKFLOW).items == ()


def test_fake_expires_versions() -> None:
    fake = InMemoryCluster("ml")
    version = fake.list(CONFIG_MAP).resource_version
    fake.create(CONFIG_MAP, config_map("a"))
    fake.expire_versions()
    with pytest.raises(Expired):
        list(fake.watch(CONFIG_MAP, None, version, 0))
    assert list(fake.watch(CONFIG_MAP, None, fake.list(CONFIG_MAP).resource_version, 0)) == []


def test_fake_serves_logs() -> None:
    fake = InMemoryCluster("ml")
    fake.create(POD, {"metadata": {"name": "p"}})
    with pytest.raises(Rejected, match="waiting to start"):
        list(fake.pod_log("p", "main"))
    fake.logs["p", "main"] = ["one", "two"]
    assert list(fake.pod_log("p", "main")) == ["one", "two"]
    assert fake.in_namespace("other").list(POD).items == ()
