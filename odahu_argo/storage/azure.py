"""Azure Blob Storage: read without azure-storage-blob where that can be, written, and asked a second time, by it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from odahu_argo.errors import UserError
from odahu_argo.storage.asking import Unanswered
from odahu_argo.storage.azure_address import Address
from odahu_argo.storage.azure_answers import is_folder
from odahu_argo.storage.azure_errors import azure_errors
from odahu_argo.storage.azure_reading import SCOPE, AzureReading, Token
from odahu_argo.storage.base import Arriving, OnBytes, StoredObject
from odahu_argo.storage.chunks import ChunkReader
from odahu_argo.storage.counting import CountedWriter
from odahu_argo.storage.paths import has_dots
from odahu_argo.storage.sessions import keep_connections

ATTEMPTS_AGAIN = 4
"""After 1, 3, 5 and 9 seconds, each up to 1 second sooner or later."""
_PART = 2 * 1024 * 1024
_BLOCK = 8 * 1024 * 1024
"""Azure takes 50,000 blocks for one object, which is 390 GiB."""
_PARTS_AT_ONCE = 4
_CONNECTIONS = 64
_FROM_SOCKET = 256 * 1024
"""Bytes that the SDK takes from a connection at a time; its own 4096 cost eight times the processor."""


@dataclass(frozen=True, slots=True)
class AzureStore:
    """One container, seen with one identity. What finds no clear answer is asked by the SDK again.

    `sdk` makes the SDK's client when it is first needed, for that takes 0.3 s.
    """

    address: Address
    reading: AzureReading = field(repr=False)
    sdk: Callable[[], Any] = field(repr=False)

    @classmethod
    def connect(cls, address: Address) -> AzureStore:
        """The container at this address.

        Raises:
            UserError: the address has no key, and the machine no identity, or azure-identity is not installed to ask
                for it.
        """
        if address.sas or address.account_key:
            return cls(address, AzureReading.of(address, None), cache(lambda: _client(address, _key(address))))
        with azure_errors("prepare the connection to", address.account_url):
            own = _identity()
            return cls(address, AzureReading.of(address, Token(own)), cache(lambda: _client(address, own)))

    def url(self, key: str) -> str:
        """The object as an `https://` address, without a signature."""
        return f"{self.address.account_url}/{self.address.container}/{key}"

    def list(self, prefix: str) -> Iterator[StoredObject]:
        """All objects below the prefix, a page of 1000 at a time; not the folders, which some accounts list too."""
        with azure_errors("list", self.url(prefix), self.address.account_url):
            with suppress(Unanswered):
                yield from self.reading.list(prefix)
                return
            for blob in self.sdk().list_blobs(
                name_starts_with=prefix or None, include=["metadata"], results_per_page=1000
            ):
                if not is_folder((blob.metadata or {}).items()):
                    yield StoredObject(blob.name, blob.size, blob.last_modified.timestamp())

    def stat(self, key: str) -> StoredObject | None:
        """The object of exactly this key; None also when the container is missing, which `list` then tells."""
        with azure_errors("look at", self.url(key), self.address.account_url):
            with suppress(Unanswered):
                return self.reading.stat(_checked(key))
            return self._stat_by_sdk(key)

    def download(self, key: str, target: Path, on_bytes: OnBytes) -> None:
        """Fetch the object as it is stored, large ones in several parts at once; a broken part is fetched again."""
        with azure_errors("download", self.url(key), self.address.account_url), target.open("wb") as writer:
            parts = self._blob(key).download_blob(max_concurrency=_PARTS_AT_ONCE, decompress=False)
            parts.readinto(CountedWriter(writer, on_bytes))

    def start(self, source: StoredObject, target: Path, on_bytes: OnBytes) -> Arriving | None:
        """Begin to fetch the object as it is stored, without the SDK; where that fails, `download` tells why, or does it."""
        return self.reading.start(source, target, on_bytes)

    def turn(self, seconds: float) -> bool:
        """Move on what was started, and wait so long at most for more; False where nothing needs that."""
        return self.reading.server.multi.turn(seconds)

    def upload(
        self, chunks: Iterator[bytes], key: str, most: int, owner: str, stopped: threading.Event | None = None
    ) -> int:
        """Send what comes, several blocks at once; Azure shows the object when all are there, and forgets lost ones.

        What fits into one block is sent as such: the SDK (12.31) waits for ever for the first block of an empty stream.
        """
        content = ChunkReader(chunks, stopped)
        with azure_errors("upload", self.url(key), self.address.account_url):
            whole = content.less_than(_BLOCK)
            self._blob(key).upload_blob(
                content if whole is None else whole, overwrite=True, max_concurrency=_PARTS_AT_ONCE
            )
        return content.tell()

    def _stat_by_sdk(self, key: str) -> StoredObject | None:
        from azure.core.exceptions import ResourceNotFoundError

        try:
            facts = self._blob(key).get_blob_properties()
        except ResourceNotFoundError:
            return None
        is_one = is_folder((facts.metadata or {}).items())
        return None if is_one else StoredObject(key, facts.size, facts.last_modified.timestamp())

    def _blob(self, key: str) -> Any:
        """The object's client."""
        return self.sdk().get_blob_client(_checked(key))


def _checked(key: str) -> str:
    if has_dots(key):
        raise UserError(f"the path {key!r} leaves its folder", hint="write a path without `.` and `..`")
    return key


def _client(address: Address, credential: Any) -> Any:
    from azure.core.pipeline.transport import RequestsTransport
    from azure.storage.blob import ContainerClient, ExponentialRetry
    from requests import Session

    transport = RequestsTransport(
        session=keep_connections(Session(), _CONNECTIONS),
        session_owner=False,
        connection_timeout=10,
        read_timeout=60,
        connection_data_block_size=_FROM_SOCKET,
    )
    options: dict[str, Any] = {
        "transport": transport,
        "retry_policy": ExponentialRetry(
            initial_backoff=1, increment_base=2, retry_total=ATTEMPTS_AGAIN, random_jitter_range=1
        ),
        "max_single_get_size": _PART,
        "max_chunk_get_size": _PART,
        "max_single_put_size": _BLOCK,
        "max_block_size": _BLOCK,
    }
    return ContainerClient(address.account_url, address.container, credential=credential, **options)


def _key(address: Address) -> Any:
    from azure.core.credentials import AzureNamedKeyCredential, AzureSasCredential

    if address.sas:
        return AzureSasCredential(address.sas)
    return AzureNamedKeyCredential(address.account, address.account_key)


def _identity() -> Any:
    try:
        from azure.identity import DefaultAzureCredential
    except ImportError:
        raise UserError(
            "the connection has no keySecret, and azure-identity, which knows this machine's identity, is not installed",
            hint="give the connection a keySecret, or install azure-identity",
        ) from None
    own = DefaultAzureCredential()
    # Asked for a first time here, because the SDK takes a machine without identity for a fault that may pass.
    own.get_token(SCOPE)
    return own
