"""The page of a running local training in a real browser."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from odahu_argo.local.home import Home
from tests.servers.api import signed_in
from tests.servers.browser import Visit
from tests.slow_project import create_repository


@pytest.fixture
def manifests(tmp_path: Path) -> Path:
    repository = tmp_path / "repository"
    create_repository(repository)
    training = {
        "model": {"name": "slow", "version": "1.0"},
        "toolchain": "mlflow-project",
        "vcsName": "code",
        "hyperParameters": {"go": str(tmp_path / "go"), "rate": "0.5"},
    }
    code = {"type": "git", "uri": repository.as_uri(), "reference": "main"}
    file = tmp_path / "manifests.yaml"
    file.write_text(
        yaml.safe_dump_all(
            [
                {"kind": "ModelTraining", "id": "slow", "spec": training},
                {"kind": "Connection", "id": "code", "spec": code},
            ]
        )
    )
    return file


def test_page_refreshes_state_steps_curves_and_log(
    manifests: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    prepare_home: Callable[[Path], Home],
    visit: Callable[..., Visit],
) -> None:
    home = str(prepare_home(tmp_path / "home").root)
    monkeypatch.setenv("ODAHU_ARGO_HOME", home)
    command = [sys.executable, "-m", "odahu_argo", "local", "train", "run", "-f", str(manifests)]
    command += ["--output-dir", str(tmp_path / "models")]
    with signed_in("--local", ODAHU_ARGO_HOME=home) as server:
        listed = visit(server.sign_in_url)
        assert "No trainings yet" in listed.text()
        training = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            listed.wait_for("tbody .pill", "running")
            listed.page.get_by_role("link", name="slow").click()
            tab = listed
            tab.page.evaluate("window.isSame = true")
            tab.wait_for("#log", "epoch 2 of 8 <b>bold</b>")
            assert tab.text("#headline .pill") == "running"
            assert "step train is running" in tab.text("#headline")
            assert "epoch 3" not in tab.text("#log")
            (tmp_path / "go").touch()
            tab.wait_for("#headline .pill", "succeeded")
            tab.wait_for("#log", "epoch 8 of 8")
            tab.wait_for("#parameters", "rate")
            tab.wait_for("#metrics", "0.125")
        finally:
            (tmp_path / "go").touch()
            training.wait(timeout=60)
        assert tab.page.evaluate("window.isSame") is True
        assert tab.page.title() == "slow is succeeded · odahu-argo"
        assert tab.page.locator(".dag-across .state-succeeded").count() == 3
        assert tab.page.locator(".dag-across .edge").count() == 2
        assert tab.page.locator("#steps .bar rect.state-succeeded").count() == 3
        assert "from 1 to 0.125" in tab.page.locator("#metrics svg[role=img]").get_attribute("aria-label")
        [archive] = (tmp_path / "models").iterdir()
        assert archive.name in tab.text("#artifacts")
        tab.page.get_by_text("lines of YAML").click()
        assert "kind: Workflow" in tab.text(".code")
        assert tab.hosts - {""} == {server.url.removeprefix("http://")}
