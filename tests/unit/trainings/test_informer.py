"""The informer of trainings on an in-memory cluster. tests/cluster/test_shared_trainings.py uses a real API."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing
from typing import Any

import pytest

from odahu_argo import naming
from odahu_argo.backends.kubernetes import KubernetesSubmission
from odahu_argo.backends.shared import SharedKubernetesBackend
from odahu_argo.errors import Forbidden, NotFound, Unreachable
from odahu_argo.kube import informer as kube_informer
from odahu_argo.kube import watch
from odahu_argo.kube.cluster import CONFIG_MAP, EVENT, WORKFLOW, Kind
from odahu_argo.plan.model import Plan
from odahu_argo.profile import Profile
from odahu_argo.trainings import actions, history, index, informer, queries, runs
from odahu_argo.trainings.events import Changed, Deleted, Disconnected, Reconnected
from odahu_argo.trainings.selection import PageRequest, TrainingFilter
from tests.fakes.cluster import InMemoryCluster
from tests.fakes.controller import play
from tests.waiting import eventually

PAGE = PageRequest(1, 10, is_newest_first=True, is_summary=True)
LAST_KNOWN = PageRequest(1, 10, is_newest_first=True, is_summary=True, allows_outdated=True)


@pytest.fixture(autouse=True)
def _short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (watch, kube_informer):
        monkeypatch.setattr(module, "MIN_RETRY_SECONDS", 0.01)
        monkeypatch.setattr(module, "MAX_RETRY_SECONDS", 0.05)
    monkeypatch.setattr(informer, "WARNING_SECONDS", 0.05)
    monkeypatch.setattr(informer, "POLL_SECONDS", 0.05)


@pytest.fixture
def cluster() -> InMemoryCluster:
    cluster = InMemoryCluster("ml")
    cluster.watch_seconds = 60.0
    return cluster


@pytest.fixture
def backend(cluster: InMemoryCluster) -> Iterator[SharedKubernetesBackend]:
    with closing(SharedKubernetesBackend(cluster, Profile())) as backend:
        yield backend


def states(backend: SharedKubernetesBackend, request: PageRequest = PAGE) -> dict[str, str]:
    page = backend.trainings.page(TrainingFilter(), request)
    return {training.id: training.status.state for training in page.trainings}


def requests(cluster: InMemoryCluster) -> Counter[tuple[str, str]]:
    return Counter((request.verb, request.kind) for request in cluster.requests)


def test_many_readers_cost_one_list_and_one_watch(
    cluster: InMemoryCluster, backend: SharedKubernetesBackend, wine: Plan
) -> None:
    actions.create(cluster, wine)
    assert eventually(lambda: states(backend) == {"wine": "scheduling"})
    cluster.requests.clear()

    def read() -> None:
        for _ in range(20):
            states(backend)
            backend.trainings.list()
            backend.trainings.ids()
            backend.trainings.get("wine")

    readers = [threading.Thread(target=read) for _ in range(8)]
    for reader in readers:
        reader.start()
    for reader in readers:
        reader.join()
    assert cluster.requests == []


def test_first_lists_are_read_once(cluster: InMemoryCluster, wine: Plan) -> None:
    actions.create(cluster, wine)
    cluster.requests.clear()
    with closing(SharedKubernetesBackend(cluster, Profile())) as backend:
        assert states(backend) == {"wine": "scheduling"}
        assert eventually(lambda: sum(requests(cluster).values()) == 4)
        assert requests(cluster) == {
            (verb, kind): 1 for verb in ("list", "watch") for kind in ("Workflow", "ConfigMap")
        }


def test_answers_as_a_direct_list_does(cluster: InMemoryCluster, backend: SharedKubernetesBackend, wine: Plan) -> None:
    actions.create(cluster, wine)
    play(cluster, "wine-1", "train-failed")
    actions.edit(cluster, wine)
    play(cluster, "wine-2", "succeeded")
    history.save(cluster, queries.find_training(cluster, "wine"))
    cluster.delete(WORKFLOW, "wine-1")
    [direct] = queries.list_trainings(cluster)

    def is_same() -> bool:
        return [history.is_same(found, direct) for found in backend.trainings.list()] == [True]

    assert eventually(is_same)
    assert [attempt.is_gone for attempt in backend.trainings.get("wine").attempts] == [True, False]


def test_own_changes_are_visible_at_once(
    cluster: InMemoryCluster, backend: SharedKubernetesBackend, wine: Plan
) -> None:
    assert states(backend) == {}
    submission = KubernetesSubmission(backend.trainings, {"wine": wine})
    for _ in range(20):
        submission.create("wine")
        assert states(backend) == {"wine": "scheduling"}
        submission.edit("wine")
        assert backend.trainings.get("wine").newest.number == 2
        backend.trainings.delete("wine")
        assert states(backend) == {}
        with pytest.raises(NotFound, match="training 'wine' does not exist"):
            backend.trainings.get("wine")


def test_own_change_is_visible_although_combining_takes_long(
    cluster: InMemoryCluster, backend: SharedKubernetesBackend, wine: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    def slow(*arguments: Any) -> Any:
        time.sleep(0.2)
        return runs.combine(*arguments)

    assert states(backend) == {}
    monkeypatch.setattr(index, "combine", slow)
    actions.create(cluster, wine)
    uid = cluster.get(WORKFLOW, "wine-1")["metadata"]["uid"]
    assert eventually(lambda: backend.informer.index.has_run("wine", uid))
    backend.informer.wait_for_run("wine", uid)
    assert states(backend) == {"wine": "scheduling"}


def test_recorded_trainings_without_workflows_are_listed(
    cluster: InMemoryCluster, backend: SharedKubernetesBackend, wine: Plan
) -> None:
    actions.create(cluster, wine)
    play(cluster, "wine-1", "succeeded")
    history.save(cluster, queries.find_training(cluster, "wine"))
    cluster.delete(WORKFLOW, "wine-1")
    assert eventually(lambda: [found.newest.is_gone for found in backend.trainings.list()] == [True])
    assert states(backend) == {"wine": "succeeded"}
    cluster.delete(CONFIG_MAP, naming.record_name("wine"))
    assert eventually(lambda: states(backend) == {})


def test_workflow_that_loses_its_label_is_left_out(
    cluster: InMemoryCluster, backend: SharedKubernetesBackend, wine: Plan
) -> None:
    actions.create(cluster, wine)
    assert eventually(lambda: states(backend) == {"wine": "scheduling"})
    cluster.patch(WORKFLOW, "wine-1", {"metadata": {"labels": {naming.TRAINING_ID_LABEL: "ale"}}})
    assert eventually(lambda: states(backend) == {"ale": "scheduling"})
    cluster.patch(WORKFLOW, "wine-1", {"metadata": {"labels": {naming.TRAINING_ID_LABEL: None}}})
    assert eventually(lambda: states(backend) == {})


def test_expired_version_loses_no_change(
    cluster: InMemoryCluster, backend: SharedKubernetesBackend, wine: Plan
) -> None:
    actions.create(cluster, wine)
    assert eventually(lambda: states(backend) == {"wine": "scheduling"})
    cluster.expire_versions()
    cluster.delete(WORKFLOW, "wine-1")
    cluster.expire_versions()
    cluster.end_watches(Unreachable("connection reset"))
    assert eventually(lambda: states(backend) == {})
    assert backend.trainings.page(TrainingFilter(), LAST_KNOWN).outage is None


def test_outage_is_reported_and_ends(cluster: InMemoryCluster, backend: SharedKubernetesBackend, wine: Plan) -> None:
    actions.create(cluster, wine)
    assert eventually(lambda: states(backend) == {"wine": "scheduling"})
    with closing(backend.trainings.watch()) as events:
        assert isinstance(next(events), Changed)
        cluster.outage = Unreachable("no response from the API server")
        cluster.end_watches()
        assert next(events) == Disconnected("no response from the API server")
        assert states(backend, LAST_KNOWN) == {"wine": "scheduling"}
        outage = backend.trainings.page(TrainingFilter(), LAST_KNOWN).outage
        assert outage and outage.message == "no response from the API server"
        for read in (
            backend.trainings.list,
            backend.trainings.ids,
            lambda: backend.trainings.get("wine"),
            lambda: states(backend),
        ):
            with pytest.raises(Unreachable, match="no response from the API server"):
                read()
        cluster.outage = None
        cluster.delete(WORKFLOW, "wine-1")
        assert {type(event) for event in (next(events), next(events))} == {Deleted, Reconnected}
    assert states(backend) == {}


def test_unreachable_cluster_at_start_is_an_error(cluster: InMemoryCluster, wine: Plan) -> None:
    cluster.outage = Unreachable("no response from the API server")
    with closing(SharedKubernetesBackend(cluster, Profile())) as backend:
        with pytest.raises(Unreachable, match="no response from the API server"):
            states(backend, LAST_KNOWN)
        cluster.outage = None
        actions.create(cluster, wine)
        assert eventually(lambda: backend.informer.index.is_ready and states(backend) == {"wine": "scheduling"})


@pytest.mark.parametrize(("verb", "kind"), [("list", WORKFLOW), ("watch", WORKFLOW), ("watch", CONFIG_MAP)])
def test_missing_permission_is_named_and_can_be_granted(
    cluster: InMemoryCluster, verb: str, kind: Kind, wine: Plan
) -> None:
    denied = (verb, kind.plural)
    actions.create(cluster, wine)
    cluster.forbidden.add(denied)
    with closing(SharedKubernetesBackend(cluster, Profile())) as backend:
        assert eventually(lambda: backend.informer.index.is_ready or verb == "list")
        assert eventually(
            lambda: _error(backend) == f"cannot {verb} {kind.name} objects in namespace ml: permission denied"
        )
        cluster.forbidden.clear()
        assert eventually(lambda: _error(backend) == "")
        assert states(backend) == {"wine": "scheduling"}


def _error(backend: SharedKubernetesBackend) -> str:
    try:
        backend.trainings.ids()
    except Forbidden as error:
        assert "kubectl auth can-i" in str(error.problems[0].hint)
        return error.problems[0].message
    return ""


def test_slow_reader_gets_the_latest_state_once(
    cluster: InMemoryCluster, backend: SharedKubernetesBackend, wine: Plan
) -> None:
    actions.create(cluster, wine)
    assert eventually(lambda: states(backend) == {"wine": "scheduling"})
    with closing(backend.trainings.watch("wine")) as events:
        next(events)
        for number in range(50):
            cluster.patch(WORKFLOW, "wine-1", {"metadata": {"annotations": {"count": str(number)}}})
        play(cluster, "wine-1", "succeeded")
        assert eventually(lambda: states(backend) == {"wine": "succeeded"})
        event = next(events)
        assert isinstance(event, Changed) and event.training.status.state == "succeeded"


def test_warnings_about_slow_pods_are_read_once_for_all_readers(
    cluster: InMemoryCluster, backend: SharedKubernetesBackend, wine: Plan
) -> None:
    actions.create(cluster, wine)
    play(cluster, "wine-1", "running-checkout-pending")
    assert eventually(lambda: bool(backend.informer.index.starting_runs()))
    [run] = backend.informer.index.starting_runs()
    assert run.starting
    [pod] = run.starting.pods
    warning = {
        "metadata": {"name": "mount"},
        "involvedObject": {"kind": "Pod", "name": pod},
        "type": "Warning",
        "reason": "FailedMount",
        "message": 'MountVolume.SetUp failed for volume "code" : secret "connection-code" not found',
        "lastTimestamp": "2026-01-01T00:00:00Z",
    }
    cluster.create(EVENT, warning)
    assert eventually(lambda: "connection-code" in backend.trainings.get("wine").status.message)
    assert backend.trainings.get("wine").status == queries.find_training(cluster, "wine").status
    cluster.patch(WORKFLOW, "wine-1", {"metadata": {"annotations": {"changed": "true"}}})
    assert eventually(lambda: bool(states(backend)))
    assert "connection-code" in backend.trainings.get("wine").status.message
    play(cluster, "wine-1", "succeeded")
    assert eventually(lambda: states(backend) == {"wine": "succeeded"})
    assert backend.informer.index.starting_runs() == []
    cluster.requests.clear()
    time.sleep(0.2)
    assert cluster.requests == []


def test_stop_ends_all_threads(cluster: InMemoryCluster) -> None:
    before = threading.active_count()
    backend = SharedKubernetesBackend(cluster, Profile())
    states(backend)
    assert threading.active_count() == before + 3
    backend.close()
    assert threading.active_count() == before


def test_change_that_could_not_be_used_is_reported_again(cluster: InMemoryCluster) -> None:
    calls: list[list[str]] = []

    def use(changes: Sequence[watch.WatchChange[str]]) -> None:
        calls.append([change.value for change in changes])
        if len(calls) == 1:
            raise ValueError("not yet")

    cluster.create(CONFIG_MAP, {"metadata": {"name": "first", "labels": {"kept": "yes"}}})
    reader = kube_informer.Informer(
        cluster, CONFIG_MAP, lambda item: str(item["metadata"]["name"]), {"kept": "yes"}, use, lambda: None
    )
    reader.start()
    try:
        assert eventually(lambda: calls == [["first"], ["first"]])
        assert eventually(lambda: reader.state.error is None)
    finally:
        reader.stop()
