"""Pages of trainings on a real Kubernetes API, in a real browser. Recordings replace Argo's controller."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml

from tests.cluster.site import COMMIT, RUN, ZIP, Site
from tests.commands import Running, odahu_argo
from tests.servers.api import ApiClient, signed_in
from tests.servers.browser import Visit
from tests.servers.kubelet import TRAIN_NODE, kubelet
from tests.servers.mlflow_server import MlflowServer
from tests.servers.programs import free_port

pytestmark = pytest.mark.cluster


@pytest.fixture
def profile(site: Site, tmp_path: Path) -> Path:
    """A profile with an Argo address for links and an unreachable MLflow server."""
    file = tmp_path / "site.yaml"
    settings = {
        "namespace": site.namespace,
        "argo": {"url": "https://argo.example.org"},
        "tracking": {"uri": f"http://127.0.0.1:{free_port()}", "url": "https://mlflow.example.org"},
    }
    file.write_text(yaml.safe_dump(settings))
    return file


@pytest.fixture
def pages(profile: Path) -> Iterator[ApiClient]:
    with signed_in("--profile", profile) as pages:
        yield pages


def test_page_shows_training_from_scheduling_to_success(
    site: Site, pages: ApiClient, visit: Callable[..., Visit]
) -> None:
    assert site.create().code == 0
    site.play("wine-1", "running-train-unschedulable")
    tab = visit(pages.sign_in_url)
    assert tab.text("tbody .at-state") == "scheduling" and "Unschedulable" in tab.text("tbody .at-why")
    tab.page.get_by_role("link", name="wine").click()
    assert f"namespace {site.namespace}" in tab.text("header")
    callout = tab.text(".callout")
    assert callout.startswith("Unschedulable") and "How to fix it:" in callout
    assert tab.page.locator(".dag-across .edge").count() == 3
    assert tab.page.locator(".dag-across .state-scheduling .name").all_text_contents() == ["train"]
    site.play("wine-1", "succeeded")
    tab.wait_for("#headline .pill", "succeeded")
    tab.wait_for("#artifacts", ZIP)
    assert COMMIT in tab.text("#artifacts")
    assert "cannot be reached" in tab.text("#metrics")
    assert tab.page.locator(".dag-across .state-succeeded").count() == 4
    link = tab.page.get_by_role("link", name="Argo", exact=True).get_attribute("href")
    assert link == f"https://argo.example.org/workflows/{site.namespace}/wine-1"
    tab.page.reload()
    tab.page.get_by_text("lines of YAML").click()
    compiled = yaml.safe_load(tab.page.locator(".code").text_content() or "")
    assert compiled["spec"] == site.workflow("wine-1")["spec"] and "managedFields" not in compiled["metadata"]
    assert tab.hosts == {pages.url.removeprefix("http://")}


def test_page_follows_log(site: Site, pages: ApiClient, visit: Callable[..., Visit]) -> None:
    assert site.create().code == 0
    with kubelet(site.api, site.namespace) as node:
        pod = node.start("wine-1", "train", f"wine-1-{TRAIN_NODE}")
        node.say(pod, "epoch 1 of 3", 'time="2026-01-01T00:00:00Z" level=info msg="of Argo" argo=true')
        site.play("wine-1", "running-train")
        tab = visit(f"{pages.url}/trainings/wine", token=pages.token)
        tab.page.evaluate("window.isSame = true")
        tab.wait_for("#log", "epoch 1 of 3")
        assert "epoch 2" not in tab.text("#log")
        node.say(pod, "epoch 2 of 3 <b>bold</b>")
        tab.wait_for("#log", "epoch 2 of 3 <b>bold</b>")
        assert tab.text("#headline .pill") == "running"
        node.say(pod, *(f"batch {number}" for number in range(1, 101)), "epoch 3 of 3")
        node.end(pod)
        site.play("wine-1", "succeeded")
        tab.wait_for("#headline .pill", "succeeded")
        tab.wait_for("#log", "epoch 3 of 3")
    shown = tab.page.locator("#log .line").all_inner_texts()
    assert len(shown) == 103 and shown[0].split() == ["train", "epoch", "1", "of", "3"] and "batch 100" in shown[-2]
    assert tab.page.locator("#log").evaluate("log => log.scrollTop > 0"), "the newest line is in sight"
    assert tab.page.evaluate("window.isSame") is True


def test_page_shows_mlflow_run_and_link(
    site: Site, mlflow_server: MlflowServer, tmp_path: Path, visit: Callable[..., Visit]
) -> None:
    """Runs come from `tracking.uri`; the link points to `tracking.url`, or else to the same server."""
    experiment, run = record_a_run(mlflow_server)
    assert site.create(hyperParameters={"alpha": "0.7"}).code == 0
    site.play("wine-1", "succeeded", run=run)
    place = f"/#/experiments/{experiment}/runs/{run}"
    for url, shown in (("https://mlflow.example.org/", "https://mlflow.example.org"), (None, mlflow_server.address)):
        file = tmp_path / "site.yaml"
        tracking = {"uri": mlflow_server.address, **({"url": url} if url else {})}
        file.write_text(yaml.safe_dump({"namespace": site.namespace, "tracking": tracking}))
        with signed_in("--profile", file) as server:
            tab = visit(f"{server.url}/trainings/wine", token=server.token)
            tab.wait_for("#metrics", "loss")
            link = tab.page.get_by_role("link", name="MLflow", exact=True)
            assert link.get_attribute("href") == shown + place
    assert "from 1 to 0.25" in (tab.page.locator("#metrics svg[role=img]").get_attribute("aria-label") or "")
    assert "0.7" in tab.text("#parameters") and run in tab.text("#artifacts")


def record_a_run(mlflow_server: MlflowServer) -> tuple[str, str]:
    """Create an experiment with a run through MLflow's REST API."""

    def ask(what: str, **fields: object) -> dict[str, Any]:
        response = requests.post(f"{mlflow_server.address}/api/2.0/mlflow/{what}", json=fields, timeout=30)
        response.raise_for_status()
        return dict(response.json())

    experiment = ask("experiments/create", name=f"wine-{uuid.uuid4().hex}")["experiment_id"]
    run = ask("runs/create", experiment_id=experiment, start_time=0)["run"]["info"]["run_id"]
    ask("runs/log-parameter", run_id=run, key="alpha", value="0.7")
    for step in range(1, 5):
        ask("runs/log-metric", run_id=run, key="loss", value=1 / step, timestamp=step, step=step)
    ask("runs/update", run_id=run, status="FINISHED", end_time=5)
    return experiment, run


def test_report_of_deleted_workflow(site: Site, profile: Path, tmp_path: Path, visit: Callable[..., Visit]) -> None:
    assert site.create(hyperParameters={"alpha": "0.7"}).code == 0
    with Running("recorder", "-n", site.namespace) as recorder:
        site.play("wine-1", "oom")
        recorder.wait_for("wine: attempt 1 is failed")
        site.remove("wine-1")
    file = tmp_path / "wine.html"
    result = odahu_argo("report", "--id", "wine", "--profile", profile, "-o", file)
    assert result.code == 0, result.err
    tab = visit(file.as_uri())
    assert "OOMKilled" in tab.text(".callout") and "How to fix it:" in tab.text(".callout")
    assert tab.page.locator(".dag-across .edge").count() == 3
    assert "0.7" in tab.text("#parameters") and RUN not in tab.text()
    assert "Workflow wine-1 was deleted from the cluster" in tab.text()
    assert "the log of train, attempt 1, is missing" in tab.text()


def test_unknown_training_is_error_page(site: Site, visit: Callable[..., Visit]) -> None:
    with signed_in("-n", site.namespace) as server:
        missing = visit(f"{server.url}/trainings/cider", token=server.token)
        assert "training 'cider' does not exist" in missing.text("main")
        missing.complaints.clear()
