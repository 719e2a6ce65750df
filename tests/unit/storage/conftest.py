"""Fixtures for the tests of object stores: buckets on real servers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import pytest

from odahu_argo.storage.base import ObjectStore, OnBytes
from tests.servers.azure import azure_endpoint, container, lasting_azure
from tests.servers.disk import small_disk
from tests.servers.gcs import gcs_bucket, gcs_server, json_gcs_bucket, json_gcs_endpoint, lasting_gcs
from tests.servers.identity import cloud
from tests.servers.programs import Server
from tests.servers.s3 import bucket, lasting_s3, s3_endpoint
from tests.servers.step_runner import step_runner

__all__ = [
    "azure_endpoint",
    "bucket",
    "cloud",
    "container",
    "gcs_bucket",
    "gcs_server",
    "json_gcs_bucket",
    "json_gcs_endpoint",
    "s3_endpoint",
    "small_disk",
    "step_runner",
]

_CHUNK = 500_000


class Box(Protocol):
    """A bucket of any of the servers."""

    endpoint: str

    def fields(self, path: str = "", **more: str) -> dict[str, str]: ...
    def elsewhere(self) -> dict[str, str]: ...
    def url(self, key: str) -> str: ...
    def put_all(self, objects: Mapping[str, bytes]) -> None: ...
    def get(self, key: str) -> bytes: ...


@pytest.fixture(params=["bucket", "container", "gcs_bucket"], ids=["s3", "azure", "gcs"])
def box(request: pytest.FixtureRequest) -> Box:
    """A new, empty bucket of each server."""
    return request.getfixturevalue(request.param)


@pytest.fixture(params=["s3", "azure", "gcs"])
def fast_box(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Box]:
    """A bucket for many objects. For S3 it is on rclone, because moto is slow."""
    if request.param == "s3":
        with lasting_s3(tmp_path / "server") as (own, _):
            yield own
    else:
        yield request.getfixturevalue("container" if request.param == "azure" else "gcs_bucket")


def send(store: ObjectStore, content: bytes, key: str, on_bytes: OnBytes = lambda count: None) -> None:
    """Upload the bytes in chunks; `on_bytes` gets the size of each chunk before it is sent."""

    def chunks() -> Iterator[bytes]:
        for start in range(0, len(content), _CHUNK):
            on_bytes(len(content[start : start + _CHUNK]))
            yield content[start : start + _CHUNK]

    assert store.upload(chunks(), key, len(content), owner="test") == len(content)


@dataclass
class KillableBox:
    """A bucket on a server of its own, which the test can kill."""

    box: Box
    server: Server

    def put_all(self, objects: Mapping[str, bytes]) -> None:
        """Store the objects and restart the server, so that they are on disk."""
        self.box.put_all(objects)
        self.server.stop()
        self.server.start()

    def kill_and_start(self) -> None:
        self.server.kill()
        self.server.start()


@pytest.fixture(params=[lasting_s3, lasting_azure, lasting_gcs], ids=["s3", "azure", "gcs"])
def killable(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[KillableBox]:
    """Each server, started for this test."""
    with request.param(tmp_path / "server") as (box, server):
        yield KillableBox(box, server)


@pytest.fixture
def few_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("odahu_argo.storage.transfer.DELAYS", (0.1,))
    monkeypatch.setattr("odahu_argo.storage.cloud.UPLOAD_RETRIES", {"max_retries": 1})
