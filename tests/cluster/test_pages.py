"""The pages upon a real Kubernetes API, in a real browser. Argo's controller is played from recordings of a real one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml

from tests.cluster.test_trainings import COMMIT, RUN, ZIP, Site, site
from tests.commands import odahu_argo
from tests.servers.api import serving
from tests.servers.browser import Visit, browser, visit
from tests.servers.programs import free_port

__all__ = ["browser", "site", "visit"]
pytestmark = pytest.mark.cluster


@pytest.fixture
def profile(site: Site, tmp_path: Path) -> Path:
    """Argo's address is for links only; nothing listens where MLflow is said to be."""
    file = tmp_path / "site.yaml"
    settings = {
        "namespace": site.namespace,
        "argo": {"url": "https://argo.example.org"},
        "tracking": {"uri": f"http://127.0.0.1:{free_port()}", "url": "https://mlflow.example.org"},
    }
    file.write_text(yaml.safe_dump(settings))
    return file


@pytest.fixture
def pages(profile: Path) -> Iterator[str]:
    with serving("--profile", profile) as address:
        yield address


def test_a_training_is_seen_from_its_scheduling_to_its_end(site: Site, pages: str, visit: Callable[..., Visit]) -> None:
    assert site.create().code == 0
    site.play("wine-1", "running-train-unschedulable")
    seen = visit(pages)
    assert seen.text("tbody .at-state") == "scheduling" and "Unschedulable" in seen.text("tbody .at-why")
    seen.page.get_by_role("link", name="wine").click()
    assert f"namespace {site.namespace}" in seen.text("header")
    callout = seen.text(".callout")
    assert callout.startswith("Unschedulable") and "What helps:" in callout
    assert seen.page.locator(".dag-across .edge").count() == 3
    assert seen.page.locator(".dag-across .state-scheduling .name").all_text_contents() == ["train"]
    site.play("wine-1", "succeeded")
    seen.wait_for("#headline .pill", "succeeded")
    seen.wait_for("#artifacts", ZIP)
    assert COMMIT in seen.text("#artifacts")
    assert "MLflow does not answer" in seen.text("#metrics")
    assert seen.page.locator(".dag-across .state-succeeded").count() == 4
    link = seen.page.get_by_role("link", name="Argo", exact=True).get_attribute("href")
    assert link == f"https://argo.example.org/workflows/{site.namespace}/wine-1"
    seen.page.reload()
    seen.page.get_by_text("lines of YAML").click()
    compiled = yaml.safe_load(seen.page.locator(".code").text_content() or "")
    assert compiled["spec"] == site.workflow("wine-1")["spec"] and "managedFields" not in compiled["metadata"]
    assert seen.hosts == {pages.removeprefix("http://")}


def test_a_report_outlives_the_workflow(site: Site, profile: Path, tmp_path: Path, visit: Callable[..., Visit]) -> None:
    assert site.create(hyperParameters={"alpha": "0.7"}).code == 0
    site.play("wine-1", "oom")
    assert site.get()["status"]["state"] == "failed"
    site.remove("wine-1")
    file = tmp_path / "wine.html"
    ran = odahu_argo("report", "--id", "wine", "--profile", profile, "-o", file)
    assert ran.code == 0, ran.err
    seen = visit(file.as_uri())
    assert "OOMKilled" in seen.text(".callout") and "What helps:" in seen.text(".callout")
    assert seen.page.locator(".dag-across .edge").count() == 3
    assert "0.7" in seen.text("#parameters") and RUN not in seen.text()
    assert "workflow wine-1 is no longer on the cluster" in seen.text()
    assert "the log of train, attempt 1, is missing" in seen.text()


def test_a_training_that_nobody_knows_is_told_as_a_page(site: Site, visit: Callable[..., Visit]) -> None:
    with serving("-n", site.namespace) as address:
        missing = visit(f"{address}/trainings/cider")
        assert "there is no training 'cider'" in missing.text("main")
        missing.complaints.clear()
