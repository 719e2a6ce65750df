"""Servers and clusters used by end-to-end trainings."""

from tests.local_project import local_project
from tests.servers.argo import argo, site
from tests.servers.browser import browser, visit
from tests.servers.postgres import postgres
from tests.servers.s3 import bucket, s3_endpoint
from tests.servers.step_runner import step_runner

__all__ = ["argo", "browser", "bucket", "local_project", "postgres", "s3_endpoint", "site", "step_runner", "visit"]
