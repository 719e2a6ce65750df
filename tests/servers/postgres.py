"""A real PostgreSQL server on the loopback, with one database."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.servers.programs import free_port, require_program, stop, wait_until_open

USER, PASSWORD = "mlflow", "pg-Pa55word-EXAMPLE"


@dataclass(frozen=True)
class Postgres:
    port: int
    process: subprocess.Popen[bytes]

    @property
    def uri(self) -> str:
        return f"postgresql://{USER}:{PASSWORD}@127.0.0.1:{self.port}/postgres"


def _program(name: str) -> str:
    path = shutil.which(name) or next((str(file) for file in Path("/usr/lib/postgresql").glob(f"*/bin/{name}")), None)
    return path or require_program(name)


@contextmanager
def running_postgres() -> Iterator[Postgres]:
    """Run a server. As root, run it as `nobody`, because PostgreSQL does not run as root."""
    initdb, server = _program("initdb"), _program("postgres")
    folder = Path(tempfile.mkdtemp(prefix="postgres-"))
    who: dict[str, Any] = {"user": "nobody", "group": "nogroup", "extra_groups": []} if os.getuid() == 0 else {}
    try:
        if who:
            shutil.chown(folder, "nobody", "nogroup")
        password = folder / "password"
        password.write_text(PASSWORD)
        password.chmod(0o644)
        data, port = folder / "data", free_port()
        make = [initdb, "--no-sync", "-D", data, "-U", USER, "-A", "scram-sha-256", "--pwfile", password]
        subprocess.run(make, check=True, stdout=subprocess.DEVNULL, cwd=folder, **who)
        options = ["-D", data, "-h", "127.0.0.1", "-p", str(port), "-k", folder, "-c", "fsync=off"]
        process = subprocess.Popen(
            [server, *options], cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **who
        )
        try:
            wait_until_open(port, process)
            yield Postgres(port, process)
        finally:
            stop(process)
    finally:
        shutil.rmtree(folder)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    with running_postgres() as server:
        yield server
