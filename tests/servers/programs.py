"""Optional programs and server processes."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest


def require_program(name: str) -> str:
    """Return the program's path. Without it, skip the test, or fail if `ODAHU_ARGO_REQUIRE` lists it, as in CI."""
    path = shutil.which(
        name, path=os.environ.get("PATH", os.defpath) + ":/usr/sbin:/usr/lib/git-core:/usr/libexec/git-core"
    )
    if path is None:
        is_required = name in os.environ.get("ODAHU_ARGO_REQUIRE", "").split(",")
        (pytest.fail if is_required else pytest.skip)(f"program {name} is not installed")
    return path


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def wait_until_open(port: int, server: subprocess.Popen[bytes], seconds: float = 60) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if server.poll() is not None:
            raise RuntimeError(f"the server ended with {server.returncode}")
        with socket.socket() as client:
            if client.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise RuntimeError(f"nothing listens on port {port}")


@dataclass
class Server:
    """A server process on a loopback port that can be killed and restarted. Its output is discarded."""

    port: int
    command: tuple[str, ...]
    environment: dict[str, str]
    patience: float = 60
    """Seconds to wait until the port is open."""
    process: subprocess.Popen[bytes] = field(init=False)

    def start(self) -> None:
        self.process = subprocess.Popen(
            self.command, env=os.environ | self.environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        wait_until_open(self.port, self.process, self.patience)

    def stop(self) -> None:
        stop(self.process)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


@contextmanager
def serving(port: int, *command: str, patience: float = 60, **environment: str) -> Iterator[Server]:
    """Run a server process and stop it at the end."""
    server = Server(port, command, environment, patience)
    try:
        server.start()
        yield server
    finally:
        server.stop()


def stop(server: subprocess.Popen[bytes]) -> None:
    server.terminate()
    try:
        server.wait(60)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()
