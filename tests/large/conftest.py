"""Fixtures for large transfers."""

from tests.servers.step_runner import step_runner

__all__ = ["step_runner"]
