"""Many trainings on one watch of a real Kubernetes API, through what happens to connections, servers and versions."""

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
from odahu_argo.kube.cluster import WORKFLOW, Cluster, Kind, Listing, Object, T, WatchEvent
from odahu_argo.kube.watch import Back, Change, Changes, Trouble, watch
from odahu_argo.naming import MANAGED_BY, MANAGED_BY_LABEL
from tests.cluster.conftest import Through
from tests.manifests import plan
from tests.servers.kubernetes import ApiServer

pytestmark = pytest.mark.cluster

OURS = {MANAGED_BY_LABEL: MANAGED_BY}
LIMIT = 120
Watching = Iterator[Change[Object] | Trouble | Back]
Create = Callable[[str], Object]


@pytest.fixture
def create(cluster: KubeCluster, tmp_path: Path) -> Create:
    """Create a workflow of this name."""
    compiled = compile_workflow(plan(tmp_path))

    def create(name: str) -> Object:
        metadata = {**compiled["metadata"], "name": name, "namespace": cluster.namespace}
        return cluster.create(WORKFLOW, {**compiled, "metadata": metadata})

    return create


@pytest.fixture
def watching(through: Through) -> Iterator[Watching]:
    items = one_by_one(through.cluster)
    yield items
    items.close()  # type: ignore[attr-defined]


def one_by_one(cluster: Cluster, seconds: float = LIMIT) -> Watching:
    """Our workflows, watched, with the changes of a list one after the other."""
    with closing(watch(cluster, WORKFLOW, dict, OURS, seconds)) as items:
        for item in items:
            yield from item.all if isinstance(item, Changes) else [item]


def told(watching: Watching) -> str:
    """The next item in a few words."""
    match next(watching):
        case Change(item, is_deleted):
            return (
                f"{item['metadata']['name']} {'deleted' if is_deleted else item.get('status', {}).get('phase', 'new')}"
            )
        case Trouble():
            return "trouble"
        case Back():
            return "back"


def told_after_trouble(watching: Watching) -> list[str]:
    """What is told next, without trouble and up to the end of it."""
    items: list[str] = []
    while "back" not in items:
        items += [item for item in [told(watching)] if item != "trouble"]
    return items


def set_phase(cluster: KubeCluster, name: str, phase: str) -> None:
    cluster.patch(WORKFLOW, name, {"status": {"phase": phase}})


def lists(through: Through) -> int:
    return len([line for line in through.proxy.requests if "GET" in line and "watch=true" not in line])


def watches(through: Through) -> int:
    return len([line for line in through.proxy.requests if "watch=true" in line])


def eventually(condition: Callable[[], bool]) -> bool:
    until = time.monotonic() + 30
    while not condition() and time.monotonic() < until:
        time.sleep(0.02)
    return condition()


def test_what_is_there_is_told_and_then_each_change_of_many_on_one_watch(
    through: Through, watching: Watching, cluster: KubeCluster, create: Create
) -> None:
    for name in "abc":
        create(name)
    assert sorted(told(watching) for _ in "abc") == ["a new", "b new", "c new"]
    create("d")
    assert told(watching) == "d new"
    for name in "abcd":
        set_phase(cluster, name, "Running")
    assert [told(watching) for _ in "abcd"] == [f"{name} Running" for name in "abcd"]
    cluster.delete(WORKFLOW, "b")
    assert told(watching) == "b deleted"
    assert (lists(through), watches(through)) == (1, 1)


def test_other_objects_are_not_told(watching: Watching, cluster: KubeCluster, create: Create) -> None:
    create("ours")
    assert told(watching) == "ours new"
    create("other")
    cluster.patch(WORKFLOW, "other", {"metadata": {"labels": {MANAGED_BY_LABEL: None}}})
    assert [told(watching), told(watching)] == ["other new", "other deleted"]


def test_after_an_outage_what_has_changed_meanwhile_is_told_and_nothing_twice(
    through: Through, watching: Watching, cluster: KubeCluster, create: Create
) -> None:
    for name in ("same", "changed", "gone", "again"):
        create(name)
        told(watching)
    through.proxy.cut()
    assert told(watching) == "trouble"
    set_phase(cluster, "changed", "Failed")
    cluster.delete(WORKFLOW, "gone")
    cluster.delete(WORKFLOW, "again")
    create("again")
    create("new")
    through.proxy.mend()
    items = told_after_trouble(watching)
    assert sorted(items[:2]) == ["again deleted", "gone deleted"]
    assert sorted(items[2:-1]) == ["again new", "changed Failed", "new new"]


def test_trouble_says_what_it_is_and_is_told_as_long_as_it_lasts(through: Through, watching: Watching) -> None:
    through.proxy.cut()
    for _ in range(2):
        item = next(watching)
        assert isinstance(item, Trouble)
        assert f"no response from {through.cluster.server}" in item.why


def test_a_connection_that_breaks_is_replaced_in_silence(through: Through, watching: Watching, create: Create) -> None:
    create("a")
    assert told(watching) == "a new"
    create("b")
    assert told(watching) == "b new"
    through.proxy.break_off()
    create("c")
    assert told(watching) == "c new"
    assert lists(through) == 2


def test_a_watch_that_the_api_ends_goes_on_where_it_was(
    through: Through,
    watching: Watching,
    cluster: KubeCluster,
    create: Create,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(client, "WATCH_SECONDS", 1)
    create("a")
    assert told(watching) == "a new"
    create("short")
    assert told(watching) == "short new"
    cluster.delete(WORKFLOW, "short")
    assert told(watching) == "short deleted"
    made: list[Object] = []

    def create_between_two_watches(request: str) -> bool:
        if watches(through) == 3 and not made:
            made.append(create("b"))
        return False

    through.proxy.loses = create_between_two_watches
    assert told(watching) == "b new"
    assert watches(through) >= 3
    create("c")
    assert told(watching) == "c new"
    assert lists(through) == 1


def test_the_api_server_is_killed_and_comes_back(
    watching: Watching, through: Through, cluster: KubeCluster, create: Create, api_server: ApiServer
) -> None:
    for name in ("same", "changed"):
        create(name)
        told(watching)
    api_server.kill()
    assert told(watching) == "trouble"
    api_server.start()
    set_phase(cluster, "changed", "Succeeded")
    seen = told_after_trouble(watching)
    if "changed Succeeded" not in seen:
        seen.append(told(watching))
    assert seen.count("changed Succeeded") == 1
    assert "same new" not in seen
    create("later")
    assert told(watching) == "later new"


def test_a_deletion_while_the_api_was_out_of_sight_and_restarted_is_told(
    watching: Watching, through: Through, cluster: KubeCluster, create: Create, api_server: ApiServer
) -> None:
    for name in ("same", "gone"):
        create(name)
        told(watching)
    through.proxy.cut()
    assert told(watching) == "trouble"
    cluster.delete(WORKFLOW, "gone")
    api_server.kill()
    api_server.start()
    through.proxy.mend()
    assert told_after_trouble(watching) == ["gone deleted", "back"]


class FromLongAgo:
    """A real cluster whose first listing says that it is of a version that the API has forgotten."""

    def __init__(self, cluster: KubeCluster):
        self._cluster = cluster
        self.listed = 0

    def gather(self, kind: Kind, keep: Callable[[Object], T], labels: Mapping[str, str] | None = None) -> Listing[T]:
        self.listed += 1
        listing = self._cluster.gather(kind, keep, labels)
        return Listing(listing.items, "1") if self.listed == 1 else listing

    def watch(
        self, kind: Kind, labels: Mapping[str, str] | None, resource_version: str, seconds: float | None = None
    ) -> Iterator[WatchEvent]:
        return self._cluster.watch(kind, labels, resource_version, seconds)


def test_a_watch_that_is_too_old_begins_anew_and_tells_nothing_twice(cluster: KubeCluster, create: Create) -> None:
    create("a")
    old: Cluster = FromLongAgo(cluster)  # type: ignore[assignment]
    watching = one_by_one(old)
    assert told(watching) == "a new"
    set_phase(cluster, "a", "Running")
    assert told(watching) == "a Running"
    create("b")
    assert told(watching) == "b new"
    assert old.listed == 2  # type: ignore[attr-defined]
    watching.close()  # type: ignore[attr-defined]


def test_it_ends_when_its_time_is_up(cluster: KubeCluster, create: Create) -> None:
    create("a")
    assert [item.kept["metadata"]["name"] for item in one_by_one(cluster, 1) if isinstance(item, Change)] == ["a"]


def test_its_time_ends_trouble_as_well(through: Through) -> None:
    through.proxy.cut()
    items = list(one_by_one(through.cluster, 1))
    assert items
    assert all(isinstance(item, Trouble) for item in items)


def test_closing_it_closes_the_connection(through: Through, watching: Watching, create: Create) -> None:
    create("a")
    assert told(watching) == "a new"
    create("b")
    assert told(watching) == "b new"
    assert not through.proxy.is_idle
    watching.close()  # type: ignore[attr-defined]
    assert eventually(lambda: through.proxy.is_idle)


class Forgetful(FromLongAgo):
    """A real cluster that denies the second listing, as an API server does that has started but not read the rights yet."""

    def gather(self, kind: Kind, keep: Callable[[Object], T], labels: Mapping[str, str] | None = None) -> Listing[T]:
        listing = super().gather(kind, keep, labels)
        if self.listed == 2:
            raise Forbidden("not yet")
        return listing


def test_a_denial_after_a_contact_is_trouble_at_first(
    cluster: KubeCluster, create: Create, monkeypatch: pytest.MonkeyPatch
) -> None:
    create("a")
    starting: Cluster = Forgetful(cluster)  # type: ignore[assignment]
    watching = one_by_one(starting)
    assert [told(watching) for _ in range(3)] == ["a new", "trouble", "back"]
    watching.close()  # type: ignore[attr-defined]
    monkeypatch.setattr(watch_module, "DENIAL", 0.0)
    with pytest.raises(Forbidden):
        list(one_by_one(Forgetful(cluster)))  # type: ignore[arg-type]


def test_what_may_never_be_watched_is_said_at_once(cluster: KubeCluster) -> None:
    with pytest.raises(NotFound, match="does not support Dream"):
        next(watch(cluster, Kind("Dream", "dreams", "argoproj.io", "v9"), dict))
