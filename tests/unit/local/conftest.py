from __future__ import annotations

import os
from importlib.metadata import version
from pathlib import Path

import pytest

from tests.local_engine import FAKE_STEPS, LocalEngine
from tests.servers.disk import small_disk

__all__ = ["small_disk"]


@pytest.fixture
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LocalEngine:
    """The engine with fake steps, a temporary folder of its own, and MLflow's tracking store marked as prepared."""
    (tmp_path / "tmp").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    monkeypatch.setattr("tempfile.tempdir", None)
    monkeypatch.setenv("ODAHU_ARGO_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("FAKE_TRACE", str(tmp_path / "trace"))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(FAKE_STEPS), str(Path.cwd())]))
    engine = LocalEngine(tmp_path, monkeypatch)
    engine.home.root.mkdir()
    engine.home.tracking_version_file.write_text(version("mlflow"))
    return engine
