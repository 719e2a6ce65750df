"""A blob's bytes by plain requests with a SAS token; the SDK, which takes three times the processor, mends what breaks."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

from odahu_argo.storage.plain import Large, Small, look, read_part
from odahu_argo.storage.store import OnBytes

_PART = 8 * 1024 * 1024
_PARTS_AT_ONCE = 8
_SIGNED_FOR = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class AzureReading:
    """One container: its URL, and a token to read with; `session` is of `requests`."""

    url: str
    signature: str = field(repr=False)
    session: Any = field(repr=False)

    @classmethod
    def of(cls, client: Any, session: Any) -> AzureReading | None:
        """By the token that was given, or one signed here with the account's key; the machine's own identity has neither."""
        signature = _signature(client)
        return cls(client.url.partition("?")[0], signature, session) if signature else None

    def download(self, blob: Any, target: Path, on_bytes: OnBytes) -> bool:
        """Write the blob to the file; False where the SDK has to ask first, for nothing usable came.

        A part that breaks is fetched by the SDK, which raises where that breaks, too.
        """
        url = f"{self.url}/{quote(blob.blob_name, safe='/~')}?{self.signature}"
        match look(self.session, url):
            case Small(content):
                target.write_bytes(content)
                on_bytes(len(content))
                return True
            case Large() as large if large.etag:
                self._in_parts(url, large, blob, target, on_bytes)
                return True
            case _:
                return False

    def _in_parts(self, url: str, large: Large, blob: Any, target: Path, on_bytes: OnBytes) -> None:
        with target.open("wb") as writer, ThreadPoolExecutor(_PARTS_AT_ONCE) as pool:

            def fetch(begin: int) -> None:
                end = min(begin + _PART, large.size)
                part = _Part(writer.fileno(), on_bytes)
                if not read_part(self.session, url, large, begin, end, part.write):
                    part.take_back()
                    part.write(_by_sdk(blob, large, begin, end), begin)

            for _ in pool.map(fetch, range(0, large.size, _PART)):
                """Raises what one of them has raised, and begins no other."""


@dataclass(slots=True)
class _Part:
    """A place in a file, and how much was written there."""

    file: int
    on_bytes: OnBytes
    written: int = 0

    def write(self, content: bytes, offset: int) -> None:
        view = memoryview(content)
        while view:
            count = os.pwrite(self.file, view, offset)
            view, offset = view[count:], offset + count
            self.written += count
            self.on_bytes(count)

    def take_back(self) -> None:
        self.on_bytes(-self.written)


def _by_sdk(blob: Any, large: Large, begin: int, end: int) -> bytes:
    from azure.core import MatchConditions

    same = {"etag": large.etag, "match_condition": MatchConditions.IfNotModified}
    content: bytes = blob.download_blob(begin, end - begin, decompress=False, **same).readall()
    return content


def _signature(client: Any) -> str:
    from azure.core.credentials import AzureSasCredential
    from azure.storage.blob import generate_container_sas

    own = client.credential
    if isinstance(own, AzureSasCredential):
        return str(own.signature).lstrip("?")
    if key := getattr(own, "account_key", None):
        until = datetime.now(UTC) + _SIGNED_FOR
        return str(generate_container_sas(own.account_name, client.container_name, key, permission="r", expiry=until))
    return str(client.url.partition("?")[2])
