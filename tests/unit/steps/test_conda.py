"""Which conda is taken. That a real conda then trains was seen by hand: none can be had from a package index."""

from __future__ import annotations

from pathlib import Path

import pytest

from odahu_argo.steps import conda


@pytest.fixture
def linked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A conda that PATH reaches by a link alone, as /usr/local/bin/conda is in many images."""
    real = tmp_path / "opt" / "conda" / "bin" / "conda"
    real.parent.mkdir(parents=True)
    real.write_text("#!/bin/sh\n")
    real.chmod(0o755)
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "conda").symlink_to(real)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.delenv("CONDA_EXE", raising=False)
    return real


def test_a_link_is_followed_to_where_activate_lies(linked: Path) -> None:
    assert conda.conda_program() == str(linked)


def test_what_the_image_says_counts_first(linked: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONDA_EXE", "/opt/other/bin/conda")
    assert conda.conda_program() == "/opt/other/bin/conda"


def test_none_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.delenv("CONDA_EXE", raising=False)
    assert conda.conda_program() is None
