"""Lists of the server on a cluster: pages, filters, and what readers see during an outage."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from odahu_argo import build_plans, load, resolve
from odahu_argo.backends.remote import RemoteTrainings
from odahu_argo.backends.remote_client import RemoteClient, parse_server_url
from odahu_argo.backends.shared import SharedKubernetesBackend
from odahu_argo.errors import Unreachable
from odahu_argo.profile import Profile
from odahu_argo.trainings import actions
from odahu_argo.trainings.selection import PageRequest, TrainingFilter
from tests.fakes.cluster import InMemoryCluster
from tests.fakes.controller import play
from tests.manifests import training, write
from tests.servers.api import ApiClient
from tests.unit.server.conftest import TOKEN

TRAININGS = "/api/v1/model/training"
COUNT = 7


@pytest.fixture
def cluster(tmp_path: Path) -> InMemoryCluster:
    """Trainings `t0` to `t6`, submitted in this order. Odd ones have failed."""
    cluster = InMemoryCluster("ml")
    cluster.watch_seconds = 60.0
    for number in range(COUNT):
        cluster.clock = lambda second=number: datetime(2026, 1, 1, 0, 0, second, tzinfo=UTC)
        manifest = {**training(model={"name": f"m{number % 2}", "version": "1"}), "id": f"t{number}"}
        [planned] = build_plans(resolve(load([write(tmp_path, manifest)]), Profile()), Profile())
        actions.create(cluster, planned)
        if number % 2:
            play(cluster, f"t{number}-1", "train-failed")
    return cluster


@pytest.fixture
def client(cluster: InMemoryCluster, serve: Callable[..., ApiClient]) -> Iterator[ApiClient]:
    with closing(SharedKubernetesBackend(cluster, Profile())) as backend:
        yield serve(backend)


def ids(client: ApiClient, **query: object) -> list[str]:
    response = client.get(TRAININGS, params=query)
    assert response.status_code == 200, response.text
    return [training["id"] for training in response.json()]


def test_server_filters_sorts_and_pages(client: ApiClient) -> None:
    assert ids(client) == [f"t{number}" for number in range(COUNT)]
    assert ids(client, sort="newest", size=2) == ["t6", "t5"]
    assert ids(client, sort="newest", size=2, page=3) == ["t0"]
    assert ids(client, size=2, page=4) == []
    assert ids(client, state="failed") == ["t1", "t3", "t5"]
    assert ids(client, state=["failed", "scheduling"], model_name="m1", size=2, page=1) == ["t5"]
    assert client.get(TRAININGS, params={"state": "failed", "size": 1}).headers["Odahu-Argo-Total"] == "3"


@pytest.mark.parametrize(
    "query",
    [
        {"page": -1},
        {"page": "9" * 30},
        {"size": 0},
        {"size": 501},
        {"size": "1e3"},
        {"state": "done"},
        {"sort": "name; DROP TABLE training"},
        {"Page": 1},
    ],
)
def test_rejects_invalid_pages(client: ApiClient, query: dict[str, object]) -> None:
    response = client.get(TRAININGS, params=query)
    assert response.status_code == 400, response.text
    assert next(iter(query)) in response.text


@pytest.mark.parametrize("query", ["page=0", "page=-1", "page=1000001", "page=x", "state=" + "x" * 21])
def test_pages_reject_invalid_parameters(client: ApiClient, query: str) -> None:
    assert client.get(f"/?{query}").status_code == 400


def test_pages_escape_the_state(client: ApiClient) -> None:
    shown = client.get("/?state=<script>alert()&page=1000000")
    assert shown.status_code == 200 and "<script>alert" not in shown.text


class CountingClient(RemoteClient):
    """Counts the requests that it sends."""

    sent = 0

    def send(self, *arguments: object, **options: object) -> object:  # type: ignore[override]
        self.sent += 1
        return super().send(*arguments, **options)  # type: ignore[arg-type]


def test_remote_page_is_selected_by_the_server(client: ApiClient) -> None:
    connection = CountingClient(parse_server_url(client.url), TOKEN)
    trainings = RemoteTrainings(connection)
    page = trainings.page(TrainingFilter(states=("failed",)), PageRequest(1, 2, is_newest_first=True))
    assert [training.id for training in page.trainings] == ["t5", "t3"]
    assert (page.number, page.total, page.last, connection.sent) == (1, 3, 2, 1)
    last = trainings.page(TrainingFilter(), PageRequest(9, 3))
    assert ([training.id for training in last.trainings], last.number, last.total) == (["t6"], 3, COUNT)


def test_remote_page_larger_than_those_of_the_server(client: ApiClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("odahu_argo.backends.remote.MAX_PAGE_SIZE", 2)
    connection = CountingClient(parse_server_url(client.url), TOKEN)
    trainings = RemoteTrainings(connection)
    assert [training.id for training in trainings.page(TrainingFilter(), PageRequest(2, 3)).trainings] == [
        "t3",
        "t4",
        "t5",
    ]
    assert connection.sent == 2
    everything = trainings.page(TrainingFilter(), PageRequest(1, 10**9))
    assert len(everything.trainings) == everything.total == COUNT


def test_outage_shows_the_last_known_list_on_pages_and_an_error_in_the_api(
    cluster: InMemoryCluster, client: ApiClient
) -> None:
    assert "Outdated" not in client.get("/").text
    cluster.outage = Unreachable("no response from <b>the API server</b>")
    cluster.end_watches()
    while "Outdated" not in (shown := client.get("/page/trainings")).text:
        assert shown.status_code == 200
    assert "no response from &lt;b&gt;the API server" in shown.text and "t6" in shown.text
    for path in (TRAININGS, f"{TRAININGS}/t1"):
        response = client.get(path)
        assert (response.status_code, "no response from" in response.text) == (503, True)
    assert client.get("/trainings/t1").status_code == 503
    assert client.get("/health").status_code == 200


def test_missing_permission_is_shown(cluster: InMemoryCluster, serve: Callable[..., ApiClient]) -> None:
    cluster.forbidden.add(("watch", "configmaps"))
    with closing(SharedKubernetesBackend(cluster, Profile())) as backend:
        client = serve(backend)
        while (response := client.get(TRAININGS)).status_code == 200:
            pass
        assert response.status_code == 403
        assert response.json()["message"] == "cannot watch ConfigMap objects in namespace ml: permission denied"
        assert (
            "kubectl auth can-i watch configmaps -n ml"
            in client.get(TRAININGS, headers={"User-Agent": "odahu-argo"}).text
        )
