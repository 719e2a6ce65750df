"""Files that tell how many bytes go through them, for SDKs that do not tell it well."""

from __future__ import annotations

import time
from typing import IO

from odahu_argo.storage.base import OnBytes


class CountedWriter:
    """A file to fill, in any order. `moved_at` is when the last bytes came, by the monotonic clock."""

    def __init__(self, file: IO[bytes], on_bytes: OnBytes) -> None:
        """Write to `file`."""
        self._file = file
        self._on_bytes = on_bytes
        self.moved_at = time.monotonic()

    def write(self, data: bytes) -> int:
        """Write, and count it."""
        written = self._file.write(data)
        self.moved_at = time.monotonic()
        self._on_bytes(written)
        return written

    def seek(self, offset: int, whence: int = 0) -> int:
        """Go to a place."""
        return self._file.seek(offset, whence)

    def seekable(self) -> bool:
        """Whether one can go to a place."""
        return self._file.seekable()

    def tell(self) -> int:
        """The place in the file."""
        return self._file.tell()

    def flush(self) -> None:
        """Hand everything to the system."""
        self._file.flush()
