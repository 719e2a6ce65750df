"""Content that is made while it is sent, as the file that SDKs read from."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from itertools import chain

from odahu_argo.storage.base import TransferStopped


class Unwanted(Exception):
    """Ends the making of content whose upload has failed."""


class ChunkReader:
    """Chunks of bytes one after the other, read from the first to the last. There is no way back to what was read.

    `read_at` is when something was last read, by the monotonic clock. `is_unwanted` may be set to what tells that nobody
    waits for the content any more: boto3 would read it all, even when a part of it has failed.
    """

    def __init__(self, chunks: Iterator[bytes], stopped: threading.Event | None = None) -> None:
        """Read `chunks`, whose errors propagate; `read` raises `TransferStopped` when `stopped` is set."""
        self._stopped = stopped
        self._chunks = chunks
        self._rest = memoryview(b"")
        self._read = 0
        self.read_at = time.monotonic()
        self.is_unwanted: Callable[[], bool] = lambda: False

    def read(self, size: int = -1) -> bytes:
        """So many bytes, fewer only at the end; all that are left where `size` is negative."""
        if self.is_unwanted():
            raise Unwanted
        if self._stopped and self._stopped.is_set():
            raise TransferStopped
        taken = []
        wanted = size
        while wanted:
            if not self._rest:
                chunk = next(self._chunks, None)
                if chunk is None:
                    break
                self._rest = memoryview(chunk)
            taken.append(self._rest if size < 0 else self._rest[:wanted])
            self._rest = self._rest[len(taken[-1]) :]
            wanted -= len(taken[-1])
        data = b"".join(taken)
        self._read += len(data)
        self.read_at = time.monotonic()
        return data

    def less_than(self, size: int) -> bytes | None:
        """All that is left where it is less than so many bytes; else None, and it is left to be read."""
        data = self.read(size)
        if len(data) < size:
            return data
        self._chunks = chain([bytes(self._rest)], self._chunks)
        self._rest = memoryview(data)
        self._read -= size
        return None

    def seekable(self) -> bool:
        """It is not."""
        return False

    def tell(self) -> int:
        """How many bytes were read."""
        return self._read
