"""A container's blobs read with a SAS token or the machine's own identity."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

from odahu_argo.storage.reading import Source, start
from odahu_argo.storage.server import Server, trust_of_requests
from odahu_argo.storage.store import Arriving, OnBytes, StoredObject

SCOPE = "https://storage.azure.com/.default"
_SIGNED_FOR = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class AzureReading:
    """One container: the SDK's client for it, and a SAS token to read with, empty where the machine's identity does."""

    server: Server = field(repr=False)
    container: Any = field(repr=False)
    signature: str = field(repr=False)

    @classmethod
    def of(cls, container: Any) -> AzureReading:
        """By the token that was given, one signed here with the account's key, or tokens of the machine's identity."""
        server = Server(container.url.partition("?")[0], trust_of_requests())
        return cls(server, container, _signature(container))

    def start(self, source: StoredObject, target: Path, on_bytes: OnBytes) -> Arriving | None:
        """Begin to write the blob to the file; None where the SDK has to."""
        path = f"/{quote(source.key, safe='/~')}?{self.signature}".rstrip("?")
        return start(self.server, Source(path, source.size, self._headers), target, on_bytes)

    def _headers(self) -> dict[str, str]:
        version = {"x-ms-version": self.container.api_version}
        if self.signature:
            return version
        return {**version, "Authorization": f"Bearer {self.container.credential.get_token(SCOPE).token}"}


def _signature(container: Any) -> str:
    from azure.core.credentials import AzureSasCredential
    from azure.storage.blob import generate_container_sas

    own = container.credential
    if isinstance(own, AzureSasCredential):
        return str(own.signature).lstrip("?")
    if key := getattr(own, "account_key", None):
        name, until = container.container_name, datetime.now(UTC) + _SIGNED_FOR
        return str(generate_container_sas(own.account_name, name, key, permission="r", expiry=until))
    return str(container.url.partition("?")[2])
