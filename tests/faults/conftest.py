"""Fixtures for the fault tests: servers and workspaces."""

from tests.local_project import local_project
from tests.servers.disk import small_disk
from tests.servers.mlflow_project import project, tracking, tracking_store
from tests.servers.s3 import bucket, s3_endpoint
from tests.servers.step_runner import step_runner

__all__ = [
    "bucket",
    "local_project",
    "project",
    "s3_endpoint",
    "small_disk",
    "step_runner",
    "tracking",
    "tracking_store",
]
