"""Programs that start as a copy of the launcher. An empty module replaces MLflow, whose import takes seconds."""

from __future__ import annotations

import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

LAUNCHER = """\
import os, subprocess, sys, threading, types
from odahu_argo.launcher.fork import start_python
from odahu_argo.launcher.program import stop_on_sigterm, wait
from odahu_argo.launcher.report import LaunchStopped

stop_on_sigterm()
sys.modules["mlflow"] = types.ModuleType("mlflow")
if "--thread" in sys.argv:
    threading.Thread(target=threading.Event().wait, daemon=True).start()
process = start_python(sys.argv[1], ["an argument"])
print("is a copy:", not isinstance(process, subprocess.Popen))
try:
    print("status:", wait(process))
except LaunchStopped:
    print("stopped")
print("launcher:", os.getpid(), flush=True)
os._exit(0)
"""
SHOW = """\
import os, sys
print("program:", os.getpid(), os.getsid(0) == os.getpid(), __name__, sys.argv[1:], sys.stdin.read() == "")
print("modules:", [name for name in sys.modules if name.startswith("odahu") or name == "mlflow"])
"""


@dataclass(frozen=True)
class Launcher:
    folder: Path

    def start(self, program: str, *options: str) -> subprocess.Popen[str]:
        (self.folder / "launcher.py").write_text(LAUNCHER)
        (self.folder / "program.py").write_text(program)
        command = [sys.executable, str(self.folder / "launcher.py"), str(self.folder / "program.py"), *options]
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def run(self, program: str, *options: str) -> str:
        return self.start(program, *options).communicate(timeout=60)[0]


@pytest.fixture
def launcher(tmp_path: Path) -> Launcher:
    return Launcher(tmp_path)


def test_program_runs_in_a_process_of_its_own_with_imported_modules(launcher: Launcher) -> None:
    output = launcher.run(SHOW)
    pids = {line.split()[1] for line in output.splitlines() if line.startswith(("program:", "launcher:"))}
    assert len(pids) == 2
    assert " True __main__ ['an argument'] True\n" in output
    assert "modules: ['mlflow']\n" in output
    assert "is a copy: True\n" in output
    assert "status: 0\n" in output


def test_process_with_other_threads_is_not_copied(launcher: Launcher) -> None:
    output = launcher.run(SHOW, "--thread")
    assert "modules: []\n" in output
    assert "is a copy: False\n" in output
    assert "status: 0\n" in output


@pytest.mark.parametrize(
    ("program", "status"),
    [
        ("import sys; sys.exit(3)", 3),
        ("import sys; sys.exit('a message')", 1),
        ("raise RuntimeError('no')", 1),
        ("import os; os._exit(9)", 9),
        ("import os; os.kill(os.getpid(), 9)", -9),
    ],
)
def test_exit_status(launcher: Launcher, program: str, status: int) -> None:
    assert f"status: {status}\n" in launcher.run(program)


def test_sigterm_ends_the_program(launcher: Launcher) -> None:
    with launcher.start("print('running', flush=True); import time; time.sleep(600)") as process:
        assert process.stdout is not None
        while process.stdout.readline() != "running\n":
            pass
        process.send_signal(signal.SIGTERM)
        assert "stopped\n" in process.communicate(timeout=60)[0]
