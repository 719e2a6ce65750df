"""The panel with more trainings than it loads at once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tests.load.store import fill_store
from tests.servers.browser import Visit
from tests.servers.jupyter import jupyter_lab


def test_shows_more_and_filters_all(tmp_path: Path, visit: Callable[..., Visit]) -> None:
    home = fill_store(tmp_path / "home", 250)
    folder = tmp_path / "lab"
    folder.mkdir()
    with jupyter_lab(folder, ODAHU_ARGO_HOME=str(home.root)) as lab:
        tab = visit(lab.opened())
        tab.page.locator('[data-id="odahu-argo"]').click(timeout=90_000)
        tab.wait_for(".oa-status", "250 trainings")
        tab.wait_for(".oa-row", "training-000249")
        assert tab.page.locator(".oa-row").count() == 100
        tab.page.get_by_role("button", name="Show more: 150 older trainings").click()
        tab.page.get_by_role("button", name="Show more: 50 older trainings").wait_for()
        assert tab.page.locator(".oa-row").count() == 200
        tab.page.get_by_label("Filter trainings").fill("training-000007")
        tab.page.locator('[data-training="training-000007"]').wait_for()
        assert tab.page.locator(".oa-row").count() == 1
        assert tab.page.locator(".oa-more").is_hidden()
        assert tab.text(".oa-status") == "250 trainings"
