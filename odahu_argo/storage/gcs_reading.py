"""A bucket's objects read with the SDK's credentials (Google's JSON API: objects.get, `alt=media`)."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

from odahu_argo.storage.reading import Source, start
from odahu_argo.storage.server import Server, trust_of_requests
from odahu_argo.storage.store import Arriving, OnBytes, StoredObject


@dataclass(frozen=True, slots=True)
class GcsReading:
    """One bucket, seen with these credentials, which are renewed by way of `transport`."""

    server: Server = field(repr=False)
    credentials: Any = field(repr=False)
    transport: Any = field(repr=False)

    @classmethod
    def of(cls, client: Any, bucket: str, credentials: Any) -> GcsReading:
        """The bucket where the SDK's client would look for it."""
        from google.auth.transport.requests import Request

        url = f"{client.api_endpoint}/download/storage/v1/b/{quote(bucket)}/o"
        return cls(Server(url, trust_of_requests()), credentials, Request())

    def start(self, source: StoredObject, target: Path, on_bytes: OnBytes) -> Arriving | None:
        """Begin to write the object as it is stored to the file; None where the SDK has to."""
        path = f"/{quote(source.key, safe='')}?alt=media"
        return start(self.server, Source(path, source.size, self._headers), target, on_bytes)

    def _headers(self) -> dict[str, str]:
        """Of a request that is signed, and lets Google not unpack what is stored as gzip."""
        headers = {"Accept-Encoding": "gzip"}
        self.credentials.before_request(self.transport, "GET", self.server.url, headers)
        return headers
