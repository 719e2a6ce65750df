"""Programs that tests need and a machine may lack."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest


def require_program(name: str) -> str:
    """Its path; where it is missing the test is skipped, but fails where `ODAHU_ARGO_REQUIRE` names it, as in CI."""
    path = shutil.which(
        name, path=os.environ.get("PATH", os.defpath) + ":/usr/sbin:/usr/lib/git-core:/usr/libexec/git-core"
    )
    if path is None:
        is_required = name in os.environ.get("ODAHU_ARGO_REQUIRE", "").split(",")
        (pytest.fail if is_required else pytest.skip)(f"there is no program {name}")
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


@contextmanager
def serving(port: int, *command: str, **environment: str) -> Iterator[None]:
    """A server on this port of the loopback, silent, that ends with the block."""
    server = subprocess.Popen(
        command, env={**os.environ, **environment}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        wait_until_open(port, server)
        yield
    finally:
        stop(server)


def stop(server: subprocess.Popen[bytes]) -> None:
    server.terminate()
    try:
        server.wait(10)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()
