"""The panel in a real JupyterLab and browser, with local trainings."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from odahu_argo.local.home import Home
from odahu_argo.local.store import TrainingStore
from tests.local_trainings import FLOWERS, HOSTILE
from tests.servers.browser import Visit
from tests.servers.jupyter import Lab, jupyter_lab
from tests.slow_project import create_repository

REFUSED = "the server responded with a status of"
"""Console message of the browser for an unsuccessful response."""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, prepare_home: Callable[[Path], Home]) -> Home:
    """A store with earlier trainings."""
    home = prepare_home(tmp_path_factory.mktemp("home"))
    store = TrainingStore(home.store_file)
    store.save(FLOWERS)
    store.save(replace(FLOWERS, id="hostile", model_name=HOSTILE, model_version=HOSTILE, reason=HOSTILE))
    store.save(replace(FLOWERS, id="churn", model_name="churn", state="succeeded", reason=""))
    return home


@pytest.fixture(scope="module")
def lab(home: Home, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """JupyterLab with the slow project's manifests and an invalid draft. Training pauses until the file `go` exists."""
    folder = tmp_path_factory.mktemp("lab")
    repository, files = folder / "repository", folder / "files"
    files.mkdir()
    create_repository(repository)
    write(files / "connections.yaml", "Connection", "code", type="git", uri=repository.as_uri(), reference="main")
    spec = {
        "model": {"name": "slow", "version": "1.0"},
        "toolchain": "mlflow-project",
        "vcsName": "code",
        "hyperParameters": {"go": str(folder / "go"), "rate": "0.5"},
    }
    write(files / "training.yaml", "ModelTraining", "slow", **spec)
    write(files / "draft.yaml", "ModelTraining", "slow", **{**spec, "vcsName": "cod", "hyperParams": {}})
    with jupyter_lab(folder, ODAHU_ARGO_HOME=str(home.root)) as found:
        yield found


def write(file: Path, kind: str, name: str, **spec: object) -> None:
    file.write_text(yaml.safe_dump({"kind": kind, "id": name, "spec": spec}, sort_keys=False))


def opened(lab: Lab, visit: Callable[..., Visit], document: str) -> Visit:
    """Open the document and the panel in JupyterLab."""
    tab = visit(lab.opened(document))
    tab.page.locator('[data-id="odahu-argo"]').click(timeout=90_000)
    tab.page.get_by_role("button", name=f"Submit {document}").wait_for()
    tab.wait_for(".oa-row", "churn")
    return tab


def test_submits_follows_resubmits_and_deletes_open_manifest(lab: Lab, visit: Callable[..., Visit]) -> None:
    tab = opened(lab, visit, "training.yaml")
    go, row = lab.root.parent / "go", '[data-training="slow"]'
    try:
        tab.page.get_by_role("button", name="Submit training.yaml").click()
        tab.page.get_by_role("button", name="Follow its log").click(timeout=90_000)
        tab.wait_for(".oa-line", "epoch 2 of 8 <b>bold</b>")
        assert tab.text(".oa-log-status") == "following"
        tab.wait_for(f"{row} .oa-why", "step train is running")
        assert tab.text(f"{row} .oa-model") == "slow 1.0"
        tab.page.get_by_role("button", name="Stop following").click()
        tab.wait_for(".oa-log-status", "stopped")
        tab.page.get_by_role("button", name="Follow", exact=True).click()
        tab.wait_for(".oa-line", "epoch 2 of 8")
        assert "epoch 3" not in tab.text(".oa-log")
    finally:
        go.touch()
    tab.wait_for(".oa-line", "epoch 8 of 8")
    tab.wait_for(".oa-log-status", "complete")
    tab.wait_for(f"{row} .oa-state", "succeeded")
    assert tab.page.locator(".oa-line").filter(has_text="epoch 1 of 8").count() == 1

    tab.page.get_by_role("tab", name="training.yaml").click()
    tab.page.get_by_role("button", name="Submit training", exact=True).click()
    tab.wait_for(".jp-Dialog", "training 'slow' already exists on this machine: succeeded")
    tab.page.get_by_role("button", name="Run anew").click()
    tab.wait_for(f"{row} .oa-state", "running")
    tab.wait_for(f"{row} .oa-state", "succeeded")

    tab.page.locator(f"{row} .oa-name").focus()
    tab.page.keyboard.press("Delete")
    tab.wait_for(".jp-Dialog", "Delete training slow?")
    tab.page.keyboard.press("Enter")
    tab.page.locator(".jp-Dialog").wait_for(state="detached")
    assert tab.page.locator(row).count() == 1, "Enter, without a look, must not delete"
    tab.page.get_by_role("button", name="Delete slow").click()
    tab.page.locator(".jp-Dialog").get_by_role("button", name="Delete").click()
    tab.page.locator(row).wait_for(state="detached")
    forget(tab, REFUSED)


def test_problems_link_to_lines(lab: Lab, visit: Callable[..., Visit]) -> None:
    tab = opened(lab, visit, "draft.yaml")
    tab.page.get_by_role("button", name="Submit draft.yaml").click()
    problems = tab.page.locator(".oa-problems li")
    problems.filter(has_text="spec.hyperParams: unknown field 'hyperParams'").wait_for()
    assert "did you mean hyperParameters?" in tab.text(".oa-problems")
    missing = problems.filter(has_text="the files contain no connection 'cod'")
    missing.get_by_role("button", name="draft.yaml:8").click()
    tab.wait_for("#jp-main-statusbar", "Ln 8")
    assert "cm-content" in tab.page.evaluate("document.activeElement.className")
    assert tab.page.locator('[data-training="slow"]').count() == 0
    forget(tab, REFUSED)


def test_rows_filter_keyboard_and_escaping(lab: Lab, visit: Callable[..., Visit]) -> None:
    tab = opened(lab, visit, "training.yaml")
    assert "train: no labels" in tab.text('[data-training="flowers"]')
    assert "<script>window.hacked" in tab.text('[data-training="hostile"]')
    assert tab.page.evaluate("window.hacked") is None
    tab.page.get_by_label("Filter trainings").fill("FAILED no labels")
    tab.page.locator('[data-training="churn"]').wait_for(state="detached")
    assert tab.page.locator(".oa-row").count() == 1
    tab.page.get_by_label("Filter trainings").fill("")
    names = tab.page.locator(".oa-name").all_inner_texts()
    tab.page.get_by_label("Filter trainings").focus()
    tab.page.keyboard.press("Tab")
    reached = []
    for key in ("Home", "ArrowDown", "End", "ArrowUp", "Tab", "Tab"):
        tab.page.keyboard.press(key)
        reached.append(tab.page.evaluate("document.activeElement.ariaLabel ?? document.activeElement.textContent"))
        assert tab.page.evaluate("getComputedStyle(document.activeElement).outlineStyle") != "none", reached
    first, second, third = names
    assert reached == [first, second, third, second, f"Open the page of {second}", f"Delete {second}"]


def test_training_page_and_menu(lab: Lab, visit: Callable[..., Visit]) -> None:
    tab = opened(lab, visit, "training.yaml")
    tab.page.locator('[data-training="flowers"]').click(button="right")
    with tab.page.context.expect_page() as found:
        tab.page.get_by_role("menuitem", name="Open Page").click()
    found.value.wait_for_load_state()
    assert "the file labels.csv is missing" in found.value.locator("#steps").inner_text()
    assert found.value.locator("script").count() == 0


def forget(tab: Visit, complaint: str) -> None:
    """Remove expected console errors."""
    tab.complaints[:] = [item for item in tab.complaints if complaint not in item]
