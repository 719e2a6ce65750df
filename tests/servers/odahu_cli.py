"""The last release of ODAHU-flow's command line, fetched from PyPI."""

from __future__ import annotations

import fcntl
import os

import pytest

from tests.bench.peers import BUILD, ODAHUFLOWCTL, Missing


@pytest.fixture(scope="session")
def odahuflowctl() -> str:
    """The program odahuflowctl, in an environment of its own."""
    BUILD.mkdir(parents=True, exist_ok=True)
    with (BUILD / "odahu-flow-cli.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # another process of the tests may be installing it
        try:
            return ODAHUFLOWCTL.program("odahuflowctl")
        except Missing as error:
            is_required = "odahu-flow-cli" in os.environ.get("ODAHU_ARGO_REQUIRE", "").split(",")
            (pytest.fail if is_required else pytest.skip)(f"odahu-flow-cli is missing: {error}")
