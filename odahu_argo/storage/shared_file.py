"""A file that several threads write, each to its own places."""

from __future__ import annotations

import os
import threading
from pathlib import Path


class SharedFile:
    """A new file; whatever is asked of it raises the `OSError` of the disk.

    One thread writes at a time: the kernel does not let two, and has those that wait turn in circles.
    """

    def __init__(self, path: Path) -> None:
        """Make it, or empty the one that is there."""
        self._number = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)
        self._writing = threading.Lock()

    def write(self, content: bytes | memoryview, place: int) -> None:
        """Write all of that to its place."""
        left = memoryview(content)
        with self._writing:
            while left:
                count = os.pwrite(self._number, left, place)
                left, place = left[count:], place + count

    def write_from_pipe(self, pipe: int, count: int, place: int) -> None:
        """Move so many bytes, which wait in the pipe, to their place (Linux)."""
        with self._writing:
            while count:
                moved = os.splice(pipe, self._number, count, offset_dst=place)
                count, place = count - moved, place + moved

    def close(self) -> None:
        """Let go of it."""
        os.close(self._number)
