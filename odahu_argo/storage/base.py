"""The object-store protocol and its value classes."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

OnBytes = Callable[[int], None]
"""Told how many bytes have been moved since the last call, from any thread."""


class TransferStopped(Exception):
    """A transfer ended because its `stopped` event was set."""


@dataclass(frozen=True, slots=True)
class StoredObject:
    """One object: its key from the bucket's root, its size in bytes, and when it was changed, in seconds since 1970.

    `crc32c` is that of its bytes, as Google tells it: big-endian, in base64. Empty where a store tells none.
    """

    key: str
    size: int
    modified: float
    crc32c: str = ""


class Arriving(Protocol):
    """An object on its way to a file: the future of its end.

    `is_checked` tells whether its checksum, where the store knows one, is compared on the way.
    """

    future: Future[None]
    is_checked: bool

    @property
    def moved(self) -> int:
        """How many bytes were told of until now."""

    def stop(self) -> None:
        """Give up; the future ends soon."""


class ObjectStore(Protocol):
    """A bucket. Keys have no leading slash. Methods may be called from many threads at once.

    Every method raises `UserError` for what the user must mend (no such bucket or key, refused credentials) and
    `ServiceFault` for what may work on the next try (no connection, a failing server, a full disk).
    """

    def url(self, key: str) -> str:
        """The object's address as a user would write it, for messages; holds no secret."""

    def list(self, prefix: str) -> Iterator[StoredObject]:
        """All objects whose key begins with `prefix`, in the order of their keys; nothing when there are none."""

    def stat(self, key: str) -> StoredObject | None:
        """The object of exactly this key."""

    def download(self, key: str, target: Path, on_bytes: OnBytes) -> None:
        """Write the object's bytes to the file `target`, whose folder exists."""

    def start(self, source: StoredObject, target: Path, on_bytes: OnBytes) -> Arriving | None:
        """Begin to do that without a thread of the caller's, who takes turns instead; None where only `download` can.

        A future that ends with an error says nothing: `download` is to be called then. What `on_bytes` raises, in any
        thread, stops the object.
        """

    def turn(self, seconds: float) -> bool:
        """Move on what was started, and wait so long at most for more; False where nothing needs that."""

    def upload(
        self, chunks: Iterator[bytes], key: str, most: int, owner: str, stopped: threading.Event | None = None
    ) -> int:
        """Store these bytes under `key`, replacing what was there; readers see the old object or the new, never a part.

        They are sent as they come, `most` at most, by one thread that takes them and a few that send; how many came is
        returned. What `chunks` raises ends the upload. A further attempt begins anew. `owner` tells this upload from
        others under the same key at the same time, and is the same in a further attempt.

        Raises:
            TransferStopped: `stopped` was set; the object is unchanged.
        """
