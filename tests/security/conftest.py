from __future__ import annotations

from tests.local_engine import engine
from tests.servers.disk import small_disk

__all__ = ["engine", "small_disk"]
