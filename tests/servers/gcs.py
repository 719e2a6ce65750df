"""A server that speaks as Google Cloud Storage does (gcp-storage-emulator), one for each test process."""

from __future__ import annotations

import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

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
        """In one chunk, for the emulator copies the whole object for each of them."""
        client = self.client
        client.bucket(self.name).blob(key, chunk_size=2**31).upload_from_filename(file)
        client.close()

    def get(self, key: str) -> bytes:
        blob = self.client.bucket(self.name).blob(key)
        try:
            return blob.download_as_bytes()
        finally:
            blob.client.close()


_FORGETFUL = """\
from gcp_storage_emulator import __main__, storage
storage.Storage._write_config_to_file = lambda self: None
__main__.main()
"""
"""The emulator in memory, without the table of all objects that it writes anew, for nobody, after each change."""


@pytest.fixture(scope="session")
def gcs_endpoint() -> Iterator[str]:
    port = free_port()
    command = [sys.executable, "-c", _FORGETFUL, "start", "--quiet", "--in-memory"]
    with serving(port, *command, "--host", "127.0.0.1", "--port", str(port)):
        yield f"http://127.0.0.1:{port}"


@pytest.fixture
def gcs_bucket(gcs_endpoint: str) -> GcsBucket:
    """A new, empty bucket."""
    return _new_bucket(gcs_endpoint)


@contextmanager
def lasting_gcs(folder: Path) -> Iterator[tuple[GcsBucket, Server]]:
    """A bucket that outlives its server, whose objects are files in the folder."""
    folder.mkdir()
    port = free_port()
    command = [sys.executable, "-m", "gcp_storage_emulator", "start", "--quiet"]
    with serving(port, *command, "--host", "127.0.0.1", "--port", str(port), STORAGE_BASE=str(folder)) as server:
        yield _new_bucket(f"http://127.0.0.1:{port}"), server


def _new_bucket(endpoint: str) -> GcsBucket:
    new = GcsBucket(endpoint, f"bucket-{uuid.uuid4().hex[:12]}")
    client = new.client
    client.create_bucket(new.name)
    client.close()
    return new
