"""The JupyterLab extension on a real Kubernetes API. Recordings replace Argo's controller."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cluster.site import Site
from tests.servers.jupyter import jupyter_lab

pytestmark = pytest.mark.cluster


def test_submits_resubmits_and_deletes_a_training(site: Site, tmp_path: Path) -> None:
    where = ("--OdahuArgo.local=False", f"--OdahuArgo.namespace={site.namespace}")
    body = {"path": "training.yaml", "text": site.manifest().read_text()}
    with jupyter_lab(tmp_path, *where) as lab:
        assert lab.request("GET", "").json() == {"location": f"namespace {site.namespace}", "trainings": []}
        sent = lab.request("POST", "", json=body)
        assert (sent.status_code, sent.json()) == (200, {"id": "wine"})
        site.play("wine-1", "running-train-unschedulable")
        [listed] = lab.request("GET", "").json()["trainings"]
        assert (listed["state"], listed["reason"]) == ("scheduling", "Unschedulable")
        assert "Unschedulable" in lab.request("GET", "/wine/page").text
        site.play("wine-1", "succeeded")
        again = lab.request("POST", "", json=body)
        assert again.status_code == 409 and "training 'wine' already exists" in again.text
        assert lab.request("PUT", "", json=body).json() == {"id": "wine"}
        assert site.workflows() == ["wine-1", "wine-2"]
        assert lab.request("DELETE", "/wine").status_code == 200
        assert site.workflows() == []
