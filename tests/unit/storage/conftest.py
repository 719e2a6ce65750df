"""The servers that the tests of the stores use."""

from __future__ import annotations

import gc
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NoReturn, Protocol

import pytest

from odahu_argo.storage.base import ObjectStore, OnBytes
from tests.servers.azure import azure_endpoint, container, lasting_azure
from tests.servers.disk import small_disk
from tests.servers.gcs import gcs_bucket, gcs_endpoint, lasting_gcs
from tests.servers.identity import cloud
from tests.servers.programs import Server
from tests.servers.s3 import bucket, lasting_s3, s3_endpoint
from tests.servers.workplace import workplace

__all__ = [
    "azure_endpoint",
    "bucket",
    "cloud",
    "container",
    "gcs_bucket",
    "gcs_endpoint",
    "s3_endpoint",
    "small_disk",
    "workplace",
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
    """A new, empty bucket, of each server in turn."""
    return request.getfixturevalue(request.param)


@pytest.fixture(params=["s3", "azure", "gcs"])
def crowd(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Box]:
    """A bucket that takes many objects quickly, of each protocol in turn; for S3 moto is slow at it."""
    if request.param == "s3":
        with lasting_s3(tmp_path / "server") as (own, _):
            yield own
    else:
        yield request.getfixturevalue("container" if request.param == "azure" else "gcs_bucket")


def send(store: ObjectStore, content: bytes, key: str, on_bytes: OnBytes = lambda count: None) -> None:
    """Upload these bytes in chunks as a zip has them; `on_bytes` is told of each before it is sent."""

    def chunks() -> Iterator[bytes]:
        for start in range(0, len(content), _CHUNK):
            on_bytes(len(content[start : start + _CHUNK]))
            yield content[start : start + _CHUNK]

    assert store.upload(chunks(), key, len(content), owner="test") == len(content)


def without_sdk(store: Any) -> Any:
    """The store, whose cloud's library must not be asked for anything."""

    def refuse() -> NoReturn:
        raise AssertionError("the cloud's library was asked")

    return replace(store, sdk=refuse)


@dataclass
class Mortal:
    """A bucket on a server of its own, which may be killed."""

    box: Box
    server: Server

    def put_all(self, objects: Mapping[str, bytes]) -> None:
        """Store the objects, and see that the server has written them to its disk."""
        self.box.put_all(objects)
        self.server.stop()
        self.server.start()

    def kill_and_start(self) -> None:
        self.server.kill()
        self.server.start()


@pytest.fixture(params=[lasting_s3, lasting_azure, lasting_gcs], ids=["s3", "azure", "gcs"])
def mortal(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Mortal]:
    """Each server in turn, new for this test. Libraries drop sockets whose server has died without closing them."""
    request.applymarker(pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning"))
    with request.param(tmp_path / "server") as (box, server):
        yield Mortal(box, server)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()
