"""Servers and the local engine that the tests attack."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path

import pytest

from odahu_argo.local.home import Home
from odahu_argo.local.store import LocalTraining, StepRecord, TrainingStore
from tests.local_engine import engine
from tests.servers.api import ApiClient, signed_in
from tests.servers.browser import browser, visit
from tests.servers.disk import small_disk

__all__ = ["browser", "engine", "small_disk", "visit"]

NOBODY = 65534
TIMES = ("2026-01-01T00:00:00.000+00:00", "2026-01-01T00:01:00.000+00:00")


@pytest.fixture
def run_as_nobody() -> Callable[[str], str]:
    """Return a function that runs Python code as another account of the machine and returns its output."""
    python = "/usr/bin/python3"
    if os.getuid() != 0 or not Path(python).exists():
        pytest.skip("only root can start programs of another account")

    def run(code: str) -> str:
        result = subprocess.run(
            [python, "-c", code], user=NOBODY, group=NOBODY, capture_output=True, text=True, cwd="/"
        )
        return result.stdout + result.stderr

    return run


@pytest.fixture(scope="module")
def make_home() -> Callable[[Path], Home]:
    """Return a function that creates a home with the ended training `wine` and its log."""

    def make(root: Path) -> Home:
        home = Home(root)
        steps = (StepRecord("train", "succeeded", 0),)
        record = LocalTraining("wine", "wine", "1", "mlflow", "succeeded", *TIMES, "d", "file:///models", steps=steps)
        TrainingStore(home.store_file).save(record)
        home.tracking_version_file.write_text(version("mlflow"))
        home.run("wine").logs.mkdir(parents=True)
        home.run("wine").log("train").write_text("epoch 1\n")
        return home

    return make


@pytest.fixture(scope="module")
def home(make_home: Callable[[Path], Home], tmp_path_factory: pytest.TempPathFactory) -> Home:
    return make_home(tmp_path_factory.mktemp("home"))


@pytest.fixture(scope="module")
def server(home: Home) -> Iterator[ApiClient]:
    """A server of local trainings without configured authentication, and a client with its token."""
    with signed_in("--local", ODAHU_ARGO_HOME=str(home.root)) as client:
        yield client


@pytest.fixture
def stranger(server: ApiClient) -> Iterator[ApiClient]:
    """A client without a token, such as a program of another account of the machine."""
    with ApiClient(server.url) as client:
        yield client


@pytest.fixture
def public_folder() -> Iterator[Path]:
    """A directory that every account can enter, with a short path."""
    with tempfile.TemporaryDirectory(prefix="odahu-argo-") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)
