from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import psutil

from odahu_argo.local.process import GRACE_PERIOD, end_tree

STUBBORN = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(1, flush=True); time.sleep(120)"
SPAWNS = f"""
import subprocess, sys, time
subprocess.Popen([sys.executable, "-c", {STUBBORN!r}], env={{}}, start_new_session=True)
time.sleep(120)
"""


def start(code: str, **environment: str) -> subprocess.Popen[bytes]:
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, env={**os.environ, **environment}, start_new_session=True
    )
    assert process.stdout
    process.stdout.readline()
    return process


def test_a_child_with_no_environment_and_a_session_of_its_own_is_found_by_its_parent() -> None:
    with start(SPAWNS) as root:
        [child] = psutil.Process(root.pid).children()
        end_tree(root.pid, ("ODAHU_TEST_MARK", "nobody's"), in_a_hurry=lambda: True)
        with suppress(psutil.NoSuchProcess):
            assert child.status() == psutil.STATUS_ZOMBIE
        assert root.wait() == -signal.SIGKILL


def test_who_ignores_sigterm_is_killed_after_the_grace_or_at_once_in_a_hurry(tmp_path: Path) -> None:
    mark = ("ODAHU_TEST_MARK", str(tmp_path))
    for hurry, least, most in ((True, 0, GRACE_PERIOD), (False, GRACE_PERIOD, 2 * GRACE_PERIOD)):
        with start(STUBBORN, **dict([mark])) as process:
            began = time.monotonic()
            end_tree(None, mark, in_a_hurry=lambda hurry=hurry: hurry)
            assert least <= time.monotonic() - began < most
            assert process.wait() == -signal.SIGKILL


def test_processes_with_another_mark_are_left_alone(tmp_path: Path) -> None:
    with start(STUBBORN, ODAHU_TEST_MARK=str(tmp_path / "other")) as process:
        end_tree(None, ("ODAHU_TEST_MARK", str(tmp_path)))
        assert process.poll() is None
        process.kill()
