"""A real server of Azure Blob Storage (azurite, from npm) on the loopback, one for each test process."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from azure.storage.blob import BlobServiceClient

from tests.servers.programs import Server, free_port, require_program, serving

ACCOUNT = "devstoreaccount1"
KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
"""The default key of azurite."""
INSTALLED = Path(__file__).parents[2] / "build/azurite/node_modules/.bin"
"""The directory in which .ci/run installs azurite."""


@dataclass(frozen=True)
class Container:
    endpoint: str
    name: str

    @property
    def client(self) -> Any:
        return BlobServiceClient(self.endpoint, credential=KEY).get_container_client(self.name)

    def fields(self, path: str = "", **more: str) -> dict[str, str]:
        """A connection's fields for this container."""
        uri = f"https://{ACCOUNT}.blob.core.windows.net/{self.name}" + (f"/{path}" if path else "")
        return {"type": "azureblob", "uri": uri, "endpoint": self.endpoint, "keySecret": KEY, **more}

    def elsewhere(self) -> dict[str, str]:
        """The fields of a container that does not exist."""
        return self.fields(uri=f"https://{ACCOUNT}.blob.core.windows.net/not-there")

    def url(self, key: str) -> str:
        return f"{self.endpoint}/{self.name}/{key}"

    def put_all(self, objects: dict[str, bytes]) -> None:
        with self.client as client, ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda key: client.upload_blob(key, objects[key], overwrite=True), objects))

    def put_file(self, key: str, file: Path) -> None:
        with self.client as client, file.open("rb") as reader:
            client.upload_blob(key, reader, max_concurrency=4)

    def get(self, key: str) -> bytes:
        with self.client as client:
            return client.download_blob(key).readall()


@contextmanager
def running_azurite(folder: Path, *options: str) -> Iterator[Server]:
    """Run a server that stores its objects in the folder."""
    program = shutil.which("azurite-blob", path=str(INSTALLED)) or require_program("azurite-blob")
    port = free_port()
    # The SDK speaks a newer version of the API than azurite knows.
    always = ["--silent", "--skipApiVersionCheck", "--disableTelemetry"]
    with serving(port, program, *always, *options, "--location", str(folder), "--blobPort", str(port)) as server:
        yield server


@pytest.fixture(scope="session")
def azure_endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with running_azurite(tmp_path_factory.mktemp("azurite")) as server:
        yield f"http://127.0.0.1:{server.port}/{ACCOUNT}"


@pytest.fixture
def container(azure_endpoint: str) -> Container:
    """A new, empty container."""
    return _new_container(azure_endpoint)


@contextmanager
def lasting_azure(folder: Path) -> Iterator[tuple[Container, Server]]:
    """Run a server with a container that survives a restart if the server is stopped, not killed."""
    folder.mkdir()
    with running_azurite(folder) as server:
        yield _new_container(f"http://127.0.0.1:{server.port}/{ACCOUNT}"), server


def _new_container(endpoint: str) -> Container:
    new = Container(endpoint, f"container-{uuid.uuid4().hex[:12]}")
    with new.client as client:
        client.create_container()
    return new
