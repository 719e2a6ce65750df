from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from odahu_argo.local.process import terminate_tree

IGNORE_SIGTERM = (
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(1, flush=True); time.sleep(120)"
)
START_CHILD = f"""
import subprocess, sys, time
subprocess.Popen([sys.executable, "-c", {IGNORE_SIGTERM!r}], env={{}}, start_new_session=True)
time.sleep(120)
"""


def start(code: str, **environment: str) -> subprocess.Popen[bytes]:
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, env={**os.environ, **environment}, start_new_session=True
    )
    assert process.stdout
    process.stdout.readline()
    return process


def test_terminates_a_child_in_another_session_without_environment() -> None:
    with start(START_CHILD) as root:
        [child] = psutil.Process(root.pid).children()
        terminate_tree(root.pid, ("ODAHU_TEST_MARKER", "unused"), kill_now=lambda: True)
        with suppress(psutil.NoSuchProcess):
            assert child.status() == psutil.STATUS_ZOMBIE
        assert root.wait() == -signal.SIGKILL


@pytest.mark.parametrize(("grace_period", "kill_now"), [(0.5, False), (600, True)])
def test_kills_processes_that_ignore_sigterm(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, grace_period: float, kill_now: bool
) -> None:
    monkeypatch.setattr("odahu_argo.local.process.GRACE_PERIOD", grace_period)
    with start(IGNORE_SIGTERM, ODAHU_TEST_MARKER=str(tmp_path)) as process:
        terminate_tree(None, ("ODAHU_TEST_MARKER", str(tmp_path)), kill_now=lambda: kill_now)
        assert process.wait() == -signal.SIGKILL


def test_sends_sigterm_first(tmp_path: Path) -> None:
    with start("import time; print(1, flush=True); time.sleep(120)", ODAHU_TEST_MARKER=str(tmp_path)) as process:
        terminate_tree(None, ("ODAHU_TEST_MARKER", str(tmp_path)))
        assert process.wait() == -signal.SIGTERM


def test_ignores_processes_with_another_marker(tmp_path: Path) -> None:
    with start(IGNORE_SIGTERM, ODAHU_TEST_MARKER=str(tmp_path / "other")) as process:
        terminate_tree(None, ("ODAHU_TEST_MARKER", str(tmp_path)))
        assert process.poll() is None
        process.kill()
