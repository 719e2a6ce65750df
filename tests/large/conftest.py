"""Where the room for a transfer comes from."""

from tests.servers.workplace import workplace

__all__ = ["workplace"]
