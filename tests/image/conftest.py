"""The store in which images are built."""

from tests.servers.images import images

__all__ = ["images"]
