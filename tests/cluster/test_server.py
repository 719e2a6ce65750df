"""The API server on a real Kubernetes API. Recordings replace Argo's controller."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator

import pytest

from tests.cluster.site import COMMIT, RUN, ZIP, Site
from tests.manifests import training
from tests.servers.api import ApiClient, signed_in

pytestmark = pytest.mark.cluster

TRAININGS = "/api/v1/model/training"


@pytest.fixture
def server(site: Site) -> Iterator[ApiClient]:
    with signed_in("-n", site.namespace) as client:
        yield client


def test_create_read_update_and_delete(site: Site, server: ApiClient) -> None:
    created = server.post(TRAININGS, json=training())
    assert created.status_code == 201, created.text
    assert (created.json()["id"], created.json()["status"]["state"]) == ("wine", "scheduling")
    assert site.workflows() == ["wine-1"]
    site.play("wine-1", "succeeded")
    [listed] = server.get(TRAININGS, params={"model_name": "wine"}).json()
    assert listed["status"]["artifacts"] == [{"runId": RUN, "artifactName": ZIP, "commitID": COMMIT}]
    assert server.post(TRAININGS, json=training()).status_code == 409
    changed = server.put(TRAININGS, json=training(hyperParameters={"alpha": "0.7"}))
    assert changed.status_code == 200, changed.text
    assert changed.json()["spec"]["hyperParameters"] == {"alpha": "0.7"}
    assert site.workflows() == ["wine-1", "wine-2"]
    assert server.delete(f"{TRAININGS}/wine").json() == {"message": "Model training wine was deleted"}
    assert server.get(f"{TRAININGS}/wine").status_code == 404
    until = time.monotonic() + 30
    while site.workflows() and time.monotonic() < until:
        time.sleep(0.2)
    assert site.workflows() == []


def test_reports_all_problems(site: Site, server: ApiClient) -> None:
    wrong = server.post(TRAININGS, json=training(toolchain="mlfow", resources={"limits": {"cpu": "lots"}}))
    assert wrong.status_code == 400
    assert 'entity "mlfow" is not found' in wrong.json()["message"] and "lots" in wrong.json()["message"]
    missing = server.post(TRAININGS, json=training(data=[{"connName": "nowhere", "localPath": "data/"}]))
    assert missing.status_code == 400 and "connection-nowhere" in json.dumps(missing.json())
    assert server.put(TRAININGS, json=training()).status_code == 404
    assert site.workflows() == []
