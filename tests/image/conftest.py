"""Fixtures for image builds."""

from tests.servers.images import image_store

__all__ = ["image_store"]
