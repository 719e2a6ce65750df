"""The last release of ODAHU-flow's SDK, fetched from PyPI."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from tests.conftest import ROOT

RELEASE = "odahu-flow-sdk==1.6.1"


@pytest.fixture(scope="session")
def sdk() -> Path:
    """The SDK without its dependencies; our environment has those of its clients, models and local trainings."""
    folder = ROOT / "build" / RELEASE.replace("==", "-")
    if not (folder / "odahuflow").is_dir():
        folder.parent.mkdir(exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent) as temporary:
            pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
            completed = subprocess.run([*pip, "--target", f"{temporary}/sdk", RELEASE], capture_output=True, text=True)
            if completed.returncode:
                is_required = "odahu-flow-sdk" in os.environ.get("ODAHU_ARGO_REQUIRE", "").split(",")
                (pytest.fail if is_required else pytest.skip)(f"pip cannot fetch {RELEASE}: {completed.stderr}")
            if not folder.is_dir():  # another process of the tests may have been faster
                Path(temporary, "sdk").rename(folder)
    return folder
