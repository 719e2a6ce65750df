"""Fixtures for large transfers."""

from tests.servers.workplace import workplace

__all__ = ["workplace"]
