"""Fixtures for the tests of the launcher: a project, a tracking store and a workspace."""

from tests.servers.mlflow_project import project, tracking, tracking_store
from tests.servers.step_runner import step_runner

__all__ = ["project", "step_runner", "tracking", "tracking_store"]
