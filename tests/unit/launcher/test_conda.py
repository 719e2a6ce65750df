"""Which conda program is used. Training with a real conda is tested by hand, because no package index provides it."""

from __future__ import annotations

from pathlib import Path

import pytest

from odahu_argo.launcher.installer import conda_program


@pytest.fixture
def linked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A conda that is on PATH as a symbolic link, like /usr/local/bin/conda in many images."""
    real = tmp_path / "opt" / "conda" / "bin" / "conda"
    real.parent.mkdir(parents=True)
    real.write_text("#!/bin/sh\n")
    real.chmod(0o755)
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "conda").symlink_to(real)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.delenv("CONDA_EXE", raising=False)
    return real


def test_resolves_symbolic_link(linked: Path) -> None:
    assert conda_program() == str(linked)


def test_conda_exe_takes_precedence(linked: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONDA_EXE", "/opt/other/bin/conda")
    assert conda_program() == "/opt/other/bin/conda"


def test_returns_none_without_conda(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.delenv("CONDA_EXE", raising=False)
    assert conda_program() is None
