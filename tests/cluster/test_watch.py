"""Watching many objects of a real API server through broken connections, restarts and expired versions."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from pathlib import Path

import pytest

from odahu_argo.compile.workflow import compile_workflow
from odahu_argo.errors import Forbidden, NotFound
from odahu_argo.kube import client
from odahu_argo.kube import watch as watch_module
from odahu_argo.kube.client import KubeCluster
from odahu_argo.kube.cluster import WORKFLOW, Cluster, Kind, Listing, Object, OnOpen, T, WatchEvent
from odahu_argo.kube.watch import WatchChange, WatchChanges, WatchInterrupted, WatchRestored, watch
from odahu_argo.naming import MANAGED_BY, MANAGED_BY_LABEL
from tests.cluster.conftest import ProxiedCluster
from tests.manifests import plan
from tests.servers.kubernetes import ApiServer

pytestmark = pytest.mark.cluster

OURS = {MANAGED_BY_LABEL: MANAGED_BY}
LIMIT = 120
Watching = Iterator[WatchChange[Object] | WatchInterrupted | WatchRestored]
Create = Callable[[str], Object]


@pytest.fixture
def create(cluster: KubeCluster, tmp_path: Path) -> Create:
    """Create a workflow with this name."""
    compiled = compile_workflow(plan(tmp_path))

    def create(name: str) -> Object:
        metadata = {**compiled["metadata"], "name": name, "namespace": cluster.namespace}
        return cluster.create(WORKFLOW, {**compiled, "metadata": metadata})

    return create


@pytest.fixture
def watching(proxied_cluster: ProxiedCluster) -> Iterator[Watching]:
    items = one_by_one(proxied_cluster.cluster)
    yield items
    items.close()  # type: ignore[attr-defined]


def one_by_one(cluster: Cluster, seconds: float = LIMIT) -> Watching:
    """Watch our workflows; the changes of a list follow one after the other."""
    with closing(watch(cluster, WORKFLOW, dict, OURS, seconds)) as items:
        for item in items:
            yield from item.items if isinstance(item, WatchChanges) else [item]


def next_event(watching: Watching) -> str:
    """The next event as text."""
    match next(watching):
        case WatchChange(item, is_deleted):
            return (
                f"{item['metadata']['name']} {'deleted' if is_deleted else item.get('status', {}).get('phase', 'new')}"
            )
        case WatchInterrupted():
            return "interrupted"
        case WatchRestored():
            return "restored"


def events_until_restored(watching: Watching) -> list[str]:
    """The events up to `restored`, without `interrupted`."""
    items: list[str] = []
    while "restored" not in items:
        items += [item for item in [next_event(watching)] if item != "interrupted"]
    return items


def set_phase(cluster: KubeCluster, name: str, phase: str) -> None:
    cluster.patch(WORKFLOW, name, {"status": {"phase": phase}})


def lists(proxied_cluster: ProxiedCluster) -> int:
    return len([line for line in proxied_cluster.proxy.requests if "GET" in line and "watch=true" not in line])


def watches(proxied_cluster: ProxiedCluster) -> int:
    return len([line for line in proxied_cluster.proxy.requests if "watch=true" in line])


def eventually(condition: Callable[[], bool]) -> bool:
    until = time.monotonic() + 30
    while not condition() and time.monotonic() < until:
        time.sleep(0.02)
    return condition()


def test_yields_existing_objects_and_then_changes_on_one_watch(
    proxied_cluster: ProxiedCluster, watching: Watching, cluster: KubeCluster, create: Create
) -> None:
    for name in "abc":
        create(name)
    assert sorted(next_event(watching) for _ in "abc") == ["a new", "b new", "c new"]
    create("d")
    assert next_event(watching) == "d new"
    for name in "abcd":
        set_phase(cluster, name, "Running")
    assert [next_event(watching) for _ in "abcd"] == [f"{name} Running" for name in "abcd"]
    cluster.delete(WORKFLOW, "b")
    assert next_event(watching) == "b deleted"
    assert (lists(proxied_cluster), watches(proxied_cluster)) == (1, 1)


def test_ignores_objects_without_the_labels(watching: Watching, cluster: KubeCluster, create: Create) -> None:
    create("ours")
    assert next_event(watching) == "ours new"
    create("other")
    cluster.patch(WORKFLOW, "other", {"metadata": {"labels": {MANAGED_BY_LABEL: None}}})
    assert [next_event(watching), next_event(watching)] == ["other new", "other deleted"]


def test_yields_changes_of_an_outage_once(
    proxied_cluster: ProxiedCluster, watching: Watching, cluster: KubeCluster, create: Create
) -> None:
    for name in ("same", "changed", "gone", "again"):
        create(name)
        next_event(watching)
    proxied_cluster.proxy.cut()
    assert next_event(watching) == "interrupted"
    set_phase(cluster, "changed", "Failed")
    cluster.delete(WORKFLOW, "gone")
    cluster.delete(WORKFLOW, "again")
    create("again")
    create("new")
    proxied_cluster.proxy.restore()
    items = events_until_restored(watching)
    assert sorted(items[:2]) == ["again deleted", "gone deleted"]
    assert sorted(items[2:-1]) == ["again new", "changed Failed", "new new"]


def test_repeats_the_reason_during_an_outage(proxied_cluster: ProxiedCluster, watching: Watching) -> None:
    proxied_cluster.proxy.cut()
    for _ in range(2):
        item = next(watching)
        assert isinstance(item, WatchInterrupted)
        assert f"no response from {proxied_cluster.cluster.server}" in item.reason


def test_replaces_a_broken_connection_silently(
    proxied_cluster: ProxiedCluster, watching: Watching, create: Create
) -> None:
    create("a")
    assert next_event(watching) == "a new"
    create("b")
    assert next_event(watching) == "b new"
    proxied_cluster.proxy.break_off()
    create("c")
    assert next_event(watching) == "c new"
    assert lists(proxied_cluster) == 2


def test_continues_after_the_server_ends_a_watch(
    proxied_cluster: ProxiedCluster,
    watching: Watching,
    cluster: KubeCluster,
    create: Create,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(client, "WATCH_SECONDS", 1)
    create("a")
    assert next_event(watching) == "a new"
    create("short")
    assert next_event(watching) == "short new"
    cluster.delete(WORKFLOW, "short")
    assert next_event(watching) == "short deleted"
    made: list[Object] = []

    def create_between_two_watches(request: str) -> bool:
        if watches(proxied_cluster) == 3 and not made:
            made.append(create("b"))
        return False

    proxied_cluster.proxy.loses = create_between_two_watches
    assert next_event(watching) == "b new"
    assert watches(proxied_cluster) >= 3
    create("c")
    assert next_event(watching) == "c new"
    assert lists(proxied_cluster) == 1


def test_survives_a_restart_of_the_api_server(
    watching: Watching, proxied_cluster: ProxiedCluster, cluster: KubeCluster, create: Create, api_server: ApiServer
) -> None:
    for name in ("same", "changed"):
        create(name)
        next_event(watching)
    api_server.kill()
    assert next_event(watching) == "interrupted"
    api_server.start()
    set_phase(cluster, "changed", "Succeeded")
    seen = events_until_restored(watching)
    if "changed Succeeded" not in seen:
        seen.append(next_event(watching))
    assert seen.count("changed Succeeded") == 1
    assert "same new" not in seen
    create("later")
    assert next_event(watching) == "later new"


def test_yields_a_deletion_during_an_outage_with_restart(
    watching: Watching, proxied_cluster: ProxiedCluster, cluster: KubeCluster, create: Create, api_server: ApiServer
) -> None:
    for name in ("same", "gone"):
        create(name)
        next_event(watching)
    proxied_cluster.proxy.cut()
    assert next_event(watching) == "interrupted"
    cluster.delete(WORKFLOW, "gone")
    api_server.kill()
    api_server.start()
    proxied_cluster.proxy.restore()
    assert events_until_restored(watching) == ["gone deleted", "restored"]


class ExpiredFirstList:
    """A real cluster whose first list has an expired resource version."""

    def __init__(self, cluster: KubeCluster):
        self._cluster = cluster
        self.listed = 0

    def gather(self, kind: Kind, keep: Callable[[Object], T], labels: Mapping[str, str] | None = None) -> Listing[T]:
        self.listed += 1
        listing = self._cluster.gather(kind, keep, labels)
        return Listing(listing.items, "1") if self.listed == 1 else listing

    def watch(
        self,
        kind: Kind,
        labels: Mapping[str, str] | None,
        resource_version: str,
        seconds: float | None = None,
        on_open: OnOpen | None = None,
    ) -> Iterator[WatchEvent]:
        return self._cluster.watch(kind, labels, resource_version, seconds, on_open)


def test_lists_again_after_the_version_expires(cluster: KubeCluster, create: Create) -> None:
    create("a")
    old: Cluster = ExpiredFirstList(cluster)  # type: ignore[assignment]
    watching = one_by_one(old)
    assert next_event(watching) == "a new"
    set_phase(cluster, "a", "Running")
    assert next_event(watching) == "a Running"
    create("b")
    assert next_event(watching) == "b new"
    assert old.listed == 2  # type: ignore[attr-defined]
    watching.close()  # type: ignore[attr-defined]


def test_ends_after_the_given_time(cluster: KubeCluster, create: Create) -> None:
    create("a")
    assert [item.value["metadata"]["name"] for item in one_by_one(cluster, 1) if isinstance(item, WatchChange)] == ["a"]


def test_ends_after_the_given_time_during_an_outage(proxied_cluster: ProxiedCluster) -> None:
    proxied_cluster.proxy.cut()
    items = list(one_by_one(proxied_cluster.cluster, 1))
    assert items
    assert all(isinstance(item, WatchInterrupted) for item in items)


def test_closing_the_iterator_closes_the_connection(
    proxied_cluster: ProxiedCluster, watching: Watching, create: Create
) -> None:
    create("a")
    assert next_event(watching) == "a new"
    create("b")
    assert next_event(watching) == "b new"
    assert not proxied_cluster.proxy.is_idle
    watching.close()  # type: ignore[attr-defined]
    assert eventually(lambda: proxied_cluster.proxy.is_idle)


class ForbiddenSecondList(ExpiredFirstList):
    """A real cluster that forbids the second list, like an API server that has not loaded its RBAC rules yet."""

    def gather(self, kind: Kind, keep: Callable[[Object], T], labels: Mapping[str, str] | None = None) -> Listing[T]:
        listing = super().gather(kind, keep, labels)
        if self.listed == 2:
            raise Forbidden("not yet")
        return listing


def test_retries_forbidden_after_a_success(
    cluster: KubeCluster, create: Create, monkeypatch: pytest.MonkeyPatch
) -> None:
    create("a")
    starting: Cluster = ForbiddenSecondList(cluster)  # type: ignore[assignment]
    watching = one_by_one(starting)
    assert [next_event(watching) for _ in range(3)] == ["a new", "interrupted", "restored"]
    watching.close()  # type: ignore[attr-defined]
    monkeypatch.setattr(watch_module, "FORBIDDEN_GRACE_SECONDS", 0.0)
    with pytest.raises(Forbidden):
        list(one_by_one(ForbiddenSecondList(cluster)))  # type: ignore[arg-type]


def test_raises_for_an_unsupported_kind(cluster: KubeCluster) -> None:
    with pytest.raises(NotFound, match="does not support Dream"):
        next(watch(cluster, Kind("Dream", "dreams", "argoproj.io", "v9"), dict))
