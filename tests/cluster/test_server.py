"""The API server on a real Kubernetes API. Recordings replace Argo's controller."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest
import requests

from tests.cluster.site import COMMIT, RUN, ZIP, Site
from tests.manifests import training
from tests.servers.programs import free_port, wait_until_open

pytestmark = pytest.mark.cluster

TRAININGS = "/api/v1/model/training"


@pytest.fixture
def trainings_api(site: Site) -> Iterator[str]:
    port = free_port()
    command = [sys.executable, "-m", "odahu_argo", "server", "--port", str(port), "-n", site.namespace]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    try:
        wait_until_open(port, process)
        yield f"http://127.0.0.1:{port}{TRAININGS}"
    finally:
        process.terminate()
        process.wait(timeout=30)


def test_create_read_update_and_delete(site: Site, trainings_api: str) -> None:
    created = requests.post(trainings_api, json=training())
    assert created.status_code == 201, created.text
    assert (created.json()["id"], created.json()["status"]["state"]) == ("wine", "scheduling")
    assert site.workflows() == ["wine-1"]
    site.play("wine-1", "succeeded")
    [listed] = requests.get(trainings_api, params={"model_name": "wine"}).json()
    assert listed["status"]["artifacts"] == [{"runId": RUN, "artifactName": ZIP, "commitID": COMMIT}]
    assert requests.post(trainings_api, json=training()).status_code == 409
    changed = requests.put(trainings_api, json=training(hyperParameters={"alpha": "0.7"}))
    assert changed.status_code == 200, changed.text
    assert changed.json()["spec"]["hyperParameters"] == {"alpha": "0.7"}
    assert site.workflows() == ["wine-1", "wine-2"]
    assert requests.delete(f"{trainings_api}/wine").json() == {"message": "Model training wine was deleted"}
    assert requests.get(f"{trainings_api}/wine").status_code == 404
    until = time.monotonic() + 30
    while site.workflows() and time.monotonic() < until:
        time.sleep(0.2)
    assert site.workflows() == []


def test_reports_all_problems(site: Site, trainings_api: str) -> None:
    wrong = requests.post(trainings_api, json=training(toolchain="mlfow", resources={"limits": {"cpu": "lots"}}))
    assert wrong.status_code == 400
    assert "toolchain" in wrong.json()["message"] and "lots" in wrong.json()["message"]
    missing = requests.post(trainings_api, json=training(data=[{"connName": "nowhere", "localPath": "data/"}]))
    assert missing.status_code == 400 and "connection-nowhere" in json.dumps(missing.json())
    assert requests.put(trainings_api, json=training()).status_code == 404
    assert site.workflows() == []
