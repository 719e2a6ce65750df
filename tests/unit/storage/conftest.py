"""The servers that the tests of the stores use."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import pytest

from tests.servers.azure import azure_endpoint, container
from tests.servers.gcs import gcs_bucket, gcs_endpoint
from tests.servers.s3 import bucket, s3_endpoint
from tests.servers.workplace import workplace

__all__ = ["azure_endpoint", "bucket", "container", "gcs_bucket", "gcs_endpoint", "s3_endpoint", "workplace"]


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
