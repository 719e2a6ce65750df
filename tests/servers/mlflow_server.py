"""Real MLflow tracking servers, and a proxy that delays their responses."""

from __future__ import annotations

import shutil
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from odahu_argo.local.home import Home
from tests.servers.programs import Server, free_port, serving


@contextmanager
def tracking_server(folder: Path, template: Path) -> Iterator[Server]:
    """Run a server with its artifacts and its database, a copy of `template`, in the folder.

    Unlike `mlflow server`, it is one process, which can be killed, without MLflow's other services.
    """
    port = free_port()
    shutil.copy(template, folder / "mlflow.db")
    command = [sys.executable, "-m", "uvicorn", "mlflow.server.fastapi_app:app", "--port", str(port)]
    settings = {
        "_MLFLOW_SERVER_FILE_STORE": f"sqlite:///{folder}/mlflow.db",
        "_MLFLOW_SERVER_ARTIFACT_ROOT": "mlflow-artifacts:/",
        "_MLFLOW_SERVER_ARTIFACT_DESTINATION": str(folder / "files"),
        "_MLFLOW_SERVER_SERVE_ARTIFACTS": "true",
    }
    with serving(port, *command, patience=240, **settings) as server:
        yield server


@dataclass(frozen=True)
class MlflowServer:
    """The server's address and database file."""

    address: str
    database: Path


@pytest.fixture(scope="session")
def mlflow_server(prepared_home: Home, tmp_path_factory: pytest.TempPathFactory) -> Iterator[MlflowServer]:
    """A server without runs."""
    folder = tmp_path_factory.mktemp("mlflow-server")
    with tracking_server(folder, prepared_home.tracking_file) as server:
        yield MlflowServer(f"http://127.0.0.1:{server.port}", folder / "mlflow.db")


@contextmanager
def held_up(port: int, seconds: float) -> Iterator[int]:
    """Run a proxy to the port that delays each response by `seconds`, and yield the proxy's port."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=_accept, args=(listener, port, seconds), daemon=True).start()
        yield listener.getsockname()[1]
        with suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)


def _accept(listener: socket.socket, port: int, seconds: float) -> None:
    with suppress(OSError):
        while True:
            client, _ = listener.accept()
            server = socket.create_connection(("127.0.0.1", port))
            for source, target, wait in ((client, server, 0.0), (server, client, seconds)):
                threading.Thread(target=_pass_on, args=(source, target, wait), daemon=True).start()


def _pass_on(source: socket.socket, target: socket.socket, wait: float) -> None:
    with suppress(OSError):
        while chunk := source.recv(65536):
            time.sleep(wait)
            target.sendall(chunk)
    with suppress(OSError):
        target.shutdown(socket.SHUT_RDWR)
    source.close()
