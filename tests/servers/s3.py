"""S3 servers on the loopback: moto, one per test process, and rclone, whose objects survive a kill."""

from __future__ import annotations

import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest
import trustme

from tests.servers.programs import Server, free_port, serving

KEY_ID, KEY_SECRET = "AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"


@dataclass(frozen=True)
class Bucket:
    endpoint: str
    name: str

    @property
    def client(self) -> Any:
        return client("s3", self.endpoint)

    def create(self) -> None:
        self.client.create_bucket(Bucket=self.name, CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})

    def fields(self, path: str = "", **more: str) -> dict[str, str]:
        """A connection's fields for this bucket."""
        uri = f"s3://{self.name}/{path}" if path else f"s3://{self.name}"
        keys = {"keyID": KEY_ID, "keySecret": KEY_SECRET, "region": "eu-central-1"}
        return {"type": "s3", "uri": uri, "endpoint": self.endpoint, **keys, **more}

    def elsewhere(self) -> dict[str, str]:
        """The fields of a bucket that does not exist."""
        return self.fields(uri="s3://not-there")

    def url(self, key: str) -> str:
        return f"s3://{self.name}/{key}"

    def put(self, **objects: bytes) -> None:
        self.put_all(objects)

    def put_all(self, objects: dict[str, bytes]) -> None:
        own = self.client
        for key, content in objects.items():
            own.put_object(Bucket=self.name, Key=key, Body=content)

    def put_file(self, key: str, file: Path) -> None:
        self.client.upload_file(str(file), self.name, key)

    def get(self, key: str) -> bytes:
        return self.client.get_object(Bucket=self.name, Key=key)["Body"].read()

    def keys(self) -> list[str]:
        return [entry["Key"] for entry in self.client.list_objects_v2(Bucket=self.name).get("Contents", [])]


def client(service: str, endpoint: str, key_id: str = KEY_ID, secret: str = KEY_SECRET) -> Any:
    return boto3.client(
        service,
        endpoint_url=endpoint,
        region_name="eu-central-1",
        aws_access_key_id=key_id,
        aws_secret_access_key=secret,
    )


@contextmanager
def running_s3(address: str = "127.0.0.1", **environment: str) -> Iterator[str]:
    """Run a server and yield its endpoint. It listens on all interfaces unless the address is 127.0.0.1."""
    port = free_port()
    listen = "127.0.0.1" if address == "127.0.0.1" else "0.0.0.0"
    command = [sys.executable, "-m", "moto.server", "-H", listen, "-p", str(port)]
    with serving(port, *command, **environment):
        yield f"http://{address}:{port}"


@pytest.fixture(scope="session")
def s3_endpoint() -> Iterator[str]:
    with running_s3() as endpoint:
        yield endpoint


@pytest.fixture
def bucket(s3_endpoint: str) -> Bucket:
    """A new, empty bucket."""
    bucket = Bucket(s3_endpoint, f"bucket-{uuid.uuid4().hex[:12]}")
    bucket.create()
    return bucket


@dataclass(frozen=True)
class HttpsBucket(Bucket):
    """A bucket over HTTPS; `authority` is the certificate file of the server's authority."""

    authority: Path
    objects: Path

    def put_all(self, objects: dict[str, bytes]) -> None:
        """Write the server's files: boto3 uploads over HTTPS without the length that rclone requires."""
        for key, content in objects.items():
            file = self.objects / self.name / key
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content)


@contextmanager
def https_s3(folder: Path) -> Iterator[HttpsBucket]:
    """A bucket of rclone over HTTPS on the loopback."""
    authority = trustme.CA()
    own = authority.issue_cert("localhost")
    files = {name: folder / f"{name}.pem" for name in ("authority", "cert", "key")}
    authority.cert_pem.write_to_path(str(files["authority"]))
    own.cert_chain_pems[0].write_to_path(str(files["cert"]))
    own.private_key_pem.write_to_path(str(files["key"]))
    (folder / "objects").mkdir()
    port = free_port()
    with serving(port, *_rclone(folder / "objects", port), "--cert", str(files["cert"]), "--key", str(files["key"])):
        yield HttpsBucket(f"https://localhost:{port}", "bucket", files["authority"], folder / "objects")


def rclone_serve_s3(folder: Path, port: int) -> list[str]:
    """Return the command of a server without credentials."""
    program = str(Path(sys.executable).with_name("rclone"))
    return [program, "serve", "s3", str(folder), "--addr", f"127.0.0.1:{port}"]


def _rclone(folder: Path, port: int) -> list[str]:
    return [*rclone_serve_s3(folder, port), "--auth-key", f"{KEY_ID},{KEY_SECRET}"]


@contextmanager
def lasting_s3(folder: Path) -> Iterator[tuple[Bucket, Server]]:
    """A bucket of rclone whose objects are files in the folder, so that they survive a restart of the server."""
    folder.mkdir()
    port = free_port()
    with serving(port, *_rclone(folder, port)) as server:
        bucket = Bucket(f"http://127.0.0.1:{port}", "bucket")
        bucket.client.create_bucket(Bucket=bucket.name)
        yield bucket, server


@contextmanager
def versitygw_s3(program: str, folder: Path) -> Iterator[Bucket]:
    """A bucket of versitygw (https://github.com/versity/versitygw), which unlike rclone supports range requests."""
    for name in ("objects", "metadata"):
        (folder / name).mkdir(parents=True)
    port = free_port()
    options = ["--access", KEY_ID, "--secret", KEY_SECRET, "--region", "eu-central-1", "--quiet", "--keep-alive"]
    backend = ["posix", "--sidecar", str(folder / "metadata"), str(folder / "objects")]
    with serving(port, program, *options, "--port", f"127.0.0.1:{port}", *backend):
        bucket = Bucket(f"http://127.0.0.1:{port}", "bucket")
        bucket.create()
        yield bucket
