"""The JupyterLab extension on a real Kubernetes API. Recordings replace Argo's controller."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cluster.site import Site
from tests.servers.jupyter import Lab, jupyter_lab
from tests.waiting import eventually

pytestmark = pytest.mark.cluster


def reasons(lab: Lab) -> list[tuple[str, str]]:
    return [(training["state"], training["reason"]) for training in lab.request("GET", "").json()["trainings"]]


def test_submits_resubmits_and_deletes_a_training(site: Site, tmp_path: Path) -> None:
    where = ("--OdahuArgo.local=False", f"--OdahuArgo.namespace={site.namespace}")
    body = {"path": "training.yaml", "text": site.manifest().read_text()}
    with jupyter_lab(tmp_path, *where) as lab:
        listed = lab.request("GET", "").json()
        assert (listed["location"], listed["trainings"], listed["total"]) == (f"namespace {site.namespace}", [], 0)
        sent = lab.request("POST", "", json=body)
        assert (sent.status_code, sent.json()) == (200, {"id": "wine"})
        site.play("wine-1", "running-train-unschedulable")
        assert eventually(lambda: reasons(lab) == [("scheduling", "Unschedulable")])
        assert "Unschedulable" in lab.request("GET", "/wine/page").text
        site.play("wine-1", "succeeded")
        assert eventually(lambda: reasons(lab) == [("succeeded", "")])
        again = lab.request("POST", "", json=body)
        assert again.status_code == 409 and "training 'wine' already exists" in again.text
        assert lab.request("PUT", "", json=body).json() == {"id": "wine"}
        assert site.workflows() == ["wine-1", "wine-2"]
        assert lab.request("DELETE", "/wine").status_code == 200
        assert site.workflows() == []
