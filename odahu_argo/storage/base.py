"""The object-store protocol and its value classes."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

OnBytes = Callable[[int], None]
"""Callback with the number of bytes transferred since the last call; negative when a transfer starts over. Any thread."""

_MD5 = re.compile(r"[0-9a-f]{32}")


class TransferStopped(Exception):
    """A transfer ended because its `stopped` event was set."""


class RangeIgnored(Exception):
    """The server answered a range request with the whole object."""


@dataclass(frozen=True, slots=True)
class StoredObject:
    """An object: key from the bucket's root, size in bytes, modification time in seconds since the epoch, and ETag.

    `etag` has no quotes. It is empty if the store reports none.
    """

    key: str
    size: int
    modified: float
    etag: str = ""

    @property
    def md5(self) -> str:
        """The hexadecimal MD5 digest of the content if the ETag has the form of one, else empty.

        S3 and Google Cloud Storage use the MD5 digest as the ETag of an object that was uploaded in one request, unless
        it is encrypted with a customer's key.
        """
        return self.etag if _MD5.fullmatch(self.etag) else ""


class ObjectStore(Protocol):
    """A bucket. Keys have no leading slash. Methods are thread-safe.

    Every method raises `UserError` for a mistake in the connection or manifest (missing bucket or key, refused
    credentials) and `ServiceFault` for a failure that may pass (no connection, server error, full disk).
    """

    def url(self, key: str) -> str:
        """Return the address of an object for messages. It contains no secret."""

    def list(self, folder: str) -> Iterator[StoredObject]:
        """Iterate over all objects below `folder` in the order of their keys. An empty `folder` is the whole bucket."""

    def stat(self, key: str) -> StoredObject | None:
        """Return the object with exactly this key; None if the object or the bucket does not exist."""

    def read(self, source: StoredObject, start: int = 0, end: int | None = None) -> Iterator[bytes]:
        """Iterate over the bytes of an object from `start` to before `end`, fetched by one request as they are stored.

        Raises:
            RangeIgnored: the server does not support range requests.
            ServiceFault: among others, the object no longer has the ETag of `source`.
        """

    def upload(
        self, chunks: Iterator[bytes], key: str, max_size: int, owner: str, stopped: threading.Event | None = None
    ) -> int:
        """Store the chunks as one object, replacing an existing one, and return its size.

        Readers see the old object or the complete new one. Memory use does not depend on the size. An exception of
        `chunks` cancels the upload and propagates. `max_size` is an upper bound of the size in bytes. `owner` identifies
        this upload among concurrent uploads to the same key; use the same value when repeating it.

        Raises:
            TransferStopped: `stopped` was set; an existing object is unchanged.
        """
