"""Azure Blob Storage: listed, written, and asked a second time for what could not be read, by azure-storage-blob."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from odahu_argo.errors import UserError
from odahu_argo.storage.azure_address import Address
from odahu_argo.storage.azure_errors import azure_errors
from odahu_argo.storage.azure_reading import SCOPE, AzureReading
from odahu_argo.storage.chunks import ChunkReader
from odahu_argo.storage.counting import CountedWriter
from odahu_argo.storage.paths import has_dots
from odahu_argo.storage.sessions import keep_connections
from odahu_argo.storage.store import Arriving, OnBytes, StoredObject

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
    """One container, seen with one identity."""

    address: Address
    client: Any = field(repr=False)
    reading: AzureReading = field(repr=False)

    @classmethod
    def connect(cls, address: Address) -> AzureStore:
        """The container at this address.

        Raises:
            UserError: the address has no key, and the machine no identity, or azure-identity is not installed to ask
                for it; or the connection string cannot be read.
        """
        with azure_errors("prepare the connection to", address.account_url):
            client = _client(address)
            return cls(address, client, AzureReading.of(client))

    def url(self, key: str) -> str:
        """The object as an `https://` address, without a signature."""
        return f"{self.address.account_url}/{self.address.container}/{key}"

    def list(self, prefix: str) -> Iterator[StoredObject]:
        """All objects below the prefix, a page of 1000 at a time; not the folders, which some accounts list too."""
        with azure_errors("list", self.url(prefix), self.address.account_url):
            for blob in self.client.list_blobs(
                name_starts_with=prefix or None, include=["metadata"], results_per_page=1000
            ):
                if not _is_folder(blob.metadata):
                    yield StoredObject(blob.name, blob.size, blob.last_modified.timestamp())

    def stat(self, key: str) -> StoredObject | None:
        """The object of exactly this key; None also when the container is missing, which `list` then tells."""
        from azure.core.exceptions import ResourceNotFoundError

        with azure_errors("look at", self.url(key), self.address.account_url):
            try:
                facts = self._blob(key).get_blob_properties()
            except ResourceNotFoundError:
                return None
        return None if _is_folder(facts.metadata) else StoredObject(key, facts.size, facts.last_modified.timestamp())

    def download(self, key: str, target: Path, on_bytes: OnBytes) -> None:
        """Fetch the object as it is stored, large ones in several parts at once; a broken part is fetched again."""
        with azure_errors("download", self.url(key), self.address.account_url), target.open("wb") as writer:
            parts = self._blob(key).download_blob(max_concurrency=_PARTS_AT_ONCE, decompress=False)
            parts.readinto(CountedWriter(writer, on_bytes))

    def start(self, source: StoredObject, target: Path, on_bytes: OnBytes) -> Arriving | None:
        """Begin to fetch the object as it is stored, without the SDK; where that fails, `download` tells why, or does it."""
        return self.reading.start(source, target, on_bytes)

    def upload(self, chunks: Iterator[bytes], key: str, most: int, owner: str) -> int:
        """Send what comes, several blocks at once; Azure shows the object when all are there, and forgets lost ones.

        What fits into one block is sent as such: the SDK (12.31) waits for ever for the first block of an empty stream.
        """
        content = ChunkReader(chunks)
        with azure_errors("upload", self.url(key), self.address.account_url):
            whole = content.less_than(_BLOCK)
            self._blob(key).upload_blob(
                content if whole is None else whole, overwrite=True, max_concurrency=_PARTS_AT_ONCE
            )
        return content.tell()

    def _blob(self, key: str) -> Any:
        """The object's client."""
        if has_dots(key):
            raise UserError(f"the path {key!r} leaves its folder", hint="write a path without `.` and `..`")
        return self.client.get_blob_client(key)


def _is_folder(metadata: Mapping[str, str] | None) -> bool:
    """Accounts with a hierarchical namespace, and Hadoop, keep folders as empty objects with this mark."""
    return any(name.lower() == "hdi_isfolder" and value.lower() == "true" for name, value in (metadata or {}).items())


def _client(address: Address) -> Any:
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
    if address.connection_string:
        try:
            return ContainerClient.from_connection_string(address.connection_string, address.container, **options)
        except ValueError:
            raise UserError(
                "keySecret looks like a connection string, but cannot be read", hint="copy it whole from Azure's portal"
            ) from None
    return ContainerClient(address.account_url, address.container, credential=_credential(address), **options)


def _credential(address: Address) -> Any:
    from azure.core.credentials import AzureNamedKeyCredential, AzureSasCredential

    if address.sas:
        return AzureSasCredential(address.sas)
    if address.account_key:
        return AzureNamedKeyCredential(address.account, address.account_key)
    try:
        from azure.identity import DefaultAzureCredential
    except ImportError:
        raise UserError(
            "the connection has no keySecret, and azure-identity, which knows this machine's identity, is not installed",
            hint="give the connection a keySecret, or install azure-identity",
        ) from None
    own = DefaultAzureCredential()
    # Asked for a first time here, because the store's client takes a machine without identity for a fault that may pass.
    own.get_token(SCOPE)
    return own
