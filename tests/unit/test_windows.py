"""Behavior on Windows, simulated by removing the modules and attributes that Windows lacks."""

from __future__ import annotations

import subprocess
import sys

import pytest

SIMULATE_WINDOWS = """
import os, importlib, signal, sys

def simulate_windows(names):
    # Load third-party libraries before the simulation: they contain code of their own for Windows.
    for name in names:
        importlib.import_module(name)
    for name in [name for name in sys.modules if name.partition(".")[0] == "odahu_argo"]:
        del sys.modules[name]
    for name in ("fcntl", "grp", "pty", "pwd", "resource", "syslog", "termios", "tty"):
        sys.modules[name] = None
    signals = "SIGHUP SIGKILL SIGALRM SIGUSR1 SIGCHLD SIGPIPE SIGQUIT alarm pthread_sigmask"
    for name in signals.split():
        delattr(signal, name)
    functions = (
        "fork forkpty getuid geteuid getgid getpgid setsid killpg pread pwrite preadv pwritev sendfile splice uname chown"
        " fchmod fchown lchown mkfifo statvfs sched_getaffinity posix_fadvise posix_fallocate"
        " O_CLOEXEC O_NOFOLLOW O_DIRECTORY O_NONBLOCK"
    )
    for name in functions.split():
        delattr(os, name)
"""
IMPORT_ALL = """
import pkgutil
import odahu_argo

# odahu_argo.steps.mlflow.app runs in an MLflow server only.
not_imported = ("odahu_argo.__main__", "odahu_argo.steps.__main__", "odahu_argo.steps.mlflow.app")
names = [info.name for info in pkgutil.walk_packages(odahu_argo.__path__, "odahu_argo.") if info.name not in not_imported]
simulate_windows(names)
for name in names:
    try:
        importlib.import_module(name)
    except Exception as error:
        print(f"{name}: {type(error).__name__}: {error}")
"""
RUN_COMMAND = """
simulate_windows(["odahu_argo.cli.app", "odahu_argo.cli.local"])
from types import SimpleNamespace
from odahu_argo.__main__ import main
from odahu_argo.local import home

home.sys = SimpleNamespace(platform="win32")  # of this module only: the standard library is the one of this system
main()
"""


def run_on_windows(code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", SIMULATE_WINDOWS + code, *arguments]
    return subprocess.run(command, capture_output=True, text=True)


def test_all_modules_can_be_imported() -> None:
    result = run_on_windows(IMPORT_ALL)
    assert (result.returncode, result.stdout) == (0, ""), result.stdout + result.stderr


@pytest.mark.parametrize("arguments", [("run", "--id", "wine"), ("list",)])
def test_local_training_is_rejected(arguments: tuple[str, ...]) -> None:
    result = run_on_windows(RUN_COMMAND, "local", "train", *arguments)
    assert (result.returncode, result.stdout) == (2, ""), result.stderr
    assert result.stderr.startswith("error: local training needs Linux or macOS\n  hint: ")
