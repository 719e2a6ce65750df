"""Fixtures for the tests of the steps: servers and workspaces."""

from tests.servers.conda import conda, named_environment
from tests.servers.disk import small_disk
from tests.servers.git import https_remote, origin, ssh_remote
from tests.servers.mlflow_project import project, tracking, tracking_store, trained
from tests.servers.odahu_sdk import sdk
from tests.servers.s3 import bucket, s3_endpoint
from tests.servers.step_runner import step_runner

__all__ = [
    "bucket",
    "conda",
    "https_remote",
    "named_environment",
    "origin",
    "project",
    "s3_endpoint",
    "sdk",
    "small_disk",
    "ssh_remote",
    "step_runner",
    "tracking",
    "tracking_store",
    "trained",
]
