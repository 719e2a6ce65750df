"""Google Cloud Storage: read without google-cloud-storage where that can be, written, and asked a second time, by it."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from odahu_argo.errors import UserError
from odahu_argo.storage.answers import parts_lost
from odahu_argo.storage.asking import Unanswered
from odahu_argo.storage.base import Arriving, OnBytes, StoredObject
from odahu_argo.storage.chunks import ChunkReader
from odahu_argo.storage.counting import CountedWriter
from odahu_argo.storage.gcs_errors import gcs_errors
from odahu_argo.storage.gcs_reading import GcsReading
from odahu_argo.storage.sessions import keep_connections

PATIENCE = 30.0
"""Seconds without one byte after which a request is given up."""
_TIMEOUTS = (10, 60)
_CONNECTIONS = 32
_UPLOAD_PART = 16 * 1024 * 1024
"""Parts go one after the other, each with its wait for the answer."""
_SCOPE = "https://www.googleapis.com/auth/devstorage.read_write"
_NO_TELEMETRY = "DISABLE_GCS_PYTHON_CLIENT_OTEL_BUCKET_METADATA"
"""Else the SDK asks for the bucket's metadata beside each first request (3.12), for which an identity may have no right."""
_ELSEWHERE = ("STORAGE_EMULATOR_HOST", "API_ENDPOINT_OVERRIDE", "GOOGLE_API_USE_CLIENT_CERTIFICATE")
"""Variables by which the SDK asks another address than Google's usual one."""
_GOOGLE = "https://storage.googleapis.com"
_KEY_HINT = "paste the whole JSON key file of the service account, as Google's console hands it out"


@dataclass(frozen=True, slots=True)
class GcsStore:
    """One bucket, seen with one identity. What finds no clear answer is asked by the SDK again.

    `sdk` makes the SDK's client when it is first needed, for that takes 0.3 s.
    """

    bucket: str
    reading: GcsReading = field(repr=False)
    sdk: Callable[[], Any] = field(repr=False)
    where: str

    @classmethod
    def connect(cls, bucket: str, fields: Mapping[str, str]) -> GcsStore:
        """The bucket by a connection's fields.

        `keySecret` is the JSON key of a service account; without it the machine's own identity is used. `endpoint` is
        the URL of another server than Google's, which is spoken to anonymously where there is no key. `region` and
        `role` are not needed, as with ODAHU.
        """
        endpoint = fields.get("endpoint", "").rstrip("/")
        with gcs_errors("prepare the connection to", f"gs://{bucket}"):
            credentials = _credentials(fields)
            sdk = cache(lambda: _client(endpoint or None, credentials))
            is_elsewhere = not endpoint and any(os.environ.get(name) for name in _ELSEWHERE)
            address = sdk().api_endpoint if is_elsewhere else endpoint or _GOOGLE
            reading = GcsReading.of(address.rstrip("/"), bucket, credentials)
            return cls(bucket, reading, sdk, endpoint or "Google Cloud Storage")

    def url(self, key: str) -> str:
        """The object as a `gs://` address."""
        return f"gs://{self.bucket}/{key}"

    def list(self, prefix: str) -> Iterator[StoredObject]:
        """All objects below the prefix, a page of 1000 at a time."""
        with gcs_errors("list", self.url(prefix), self.where):
            with suppress(Unanswered):
                yield from self.reading.list(prefix)
                return
            wanted = "items(name,size,updated,crc32c),nextPageToken"
            for blob in self.sdk().list_blobs(
                self.bucket, prefix=prefix, page_size=1000, fields=wanted, timeout=_TIMEOUTS, retry=_retry()
            ):
                yield _stored(blob)

    def stat(self, key: str) -> StoredObject | None:
        """The object of exactly this key; None also when the bucket is missing, which `list` then tells."""
        if not _can_be_asked_for(key):
            return None
        with gcs_errors("look at", self.url(key), self.where):
            with suppress(Unanswered):
                return self.reading.stat(key)
            blob = self._bucket().get_blob(key, timeout=_TIMEOUTS, retry=_retry())
            return _stored(blob) if blob else None

    def download(self, key: str, target: Path, on_bytes: OnBytes) -> None:
        """Fetch the object as it is stored, compressed or not; a broken transfer goes on where it stopped.

        Its CRC32C is compared.
        """
        from google.api_core.exceptions import NotFound

        with gcs_errors("download", self.url(key), self.where), target.open("wb") as writer:
            counted = CountedWriter(writer, on_bytes)
            retry = _retry(lambda: counted.moved_at)
            try:
                self._bucket().blob(key).download_to_file(counted, raw_download=True, timeout=_TIMEOUTS, retry=retry)
            except NotFound:
                if self._has_bucket() is False:
                    raise
                raise UserError(
                    f"cannot download {self.url(key)}: there is no such object",
                    hint="check remotePath and the connection's uri",
                ) from None

    def start(self, source: StoredObject, target: Path, on_bytes: OnBytes) -> Arriving | None:
        """Begin to fetch the object as it is stored, without the SDK; where that fails, `download` tells why, or does it."""
        return self.reading.start(source, target, on_bytes)

    def turn(self, seconds: float) -> bool:
        """Move on what was started, and wait so long at most for more; False where nothing needs that."""
        return self.reading.server.multi.turn(seconds)

    def upload(
        self, chunks: Iterator[bytes], key: str, most: int, owner: str, stopped: threading.Event | None = None
    ) -> int:
        """Send what comes, a part at a time; Google shows the object when it has the last of them."""
        from google.api_core.exceptions import NotFound

        content = ChunkReader(chunks, stopped)
        with gcs_errors("upload", self.url(key), self.where):
            blob = self._bucket().blob(key, chunk_size=_UPLOAD_PART)
            try:
                blob.upload_from_file(content, timeout=_TIMEOUTS, retry=_retry(lambda: content.read_at))
            except NotFound:
                if self._has_bucket():
                    raise parts_lost(f"cannot upload {self.url(key)}") from None
                raise
        return content.tell()

    def _has_bucket(self) -> bool | None:
        """Whether the bucket exists, which Google does not tell when it says 404; None where the identity may not list."""
        from google.api_core.exceptions import Forbidden, NotFound

        try:
            next(iter(self.sdk().list_blobs(self.bucket, max_results=1, timeout=_TIMEOUTS, retry=_retry())), None)
        except NotFound:
            return False
        except Forbidden:
            return None
        return True

    def _bucket(self) -> Any:
        return self.sdk().bucket(self.bucket)


def _retry(moved_at: Callable[[], float] | None = None) -> Any:
    """Tries again for `PATIENCE` seconds: since the request began, or since `moved_at` where a transfer may be long."""
    from google.api_core.retry import Retry

    began = time.monotonic()

    def worth_it(error: Exception) -> bool:
        since = moved_at() if moved_at else began
        return _may_pass(error) and time.monotonic() - since < PATIENCE

    return Retry(predicate=worth_it, initial=0.5, maximum=8, multiplier=2, timeout=None)


def _may_pass(error: Exception) -> bool:
    from google.api_core.exceptions import GoogleAPICallError
    from google.auth.exceptions import TransportError
    from google.cloud.storage.exceptions import InvalidResponse
    from requests import ConnectionError as NotConnected
    from requests import Timeout
    from requests.exceptions import ChunkedEncodingError
    from urllib3.exceptions import HTTPError

    match error:
        case GoogleAPICallError():
            return error.code in (408, 429, 500, 502, 503, 504)
        case InvalidResponse():
            return error.response.status_code in (408, 429, 500, 502, 503, 504)
        case _:
            passing = (ConnectionError, NotConnected, Timeout, ChunkedEncodingError, HTTPError, TransportError)
            return isinstance(error, passing)


def _can_be_asked_for(key: str) -> bool:
    """The two names that every HTTP library takes for a step in a path; no file could have them either."""
    return key not in (".", "..")


def _credentials(fields: Mapping[str, str]) -> Any:
    """None for a server that is spoken to anonymously."""
    if key := fields.get("keySecret"):
        return _service_account(key)
    if fields.get("endpoint"):
        return None
    import google.auth

    return google.auth.default(scopes=[_SCOPE])[0]


def _client(endpoint: str | None, credentials: Any) -> Any:
    from google.auth.credentials import AnonymousCredentials
    from google.auth.transport.requests import AuthorizedSession
    from google.cloud.storage import Client

    credentials = credentials or AnonymousCredentials()
    os.environ.setdefault(_NO_TELEMETRY, "true")
    options = {"api_endpoint": endpoint} if endpoint else None
    # A project is asked for only to make buckets, which we never do.
    session = keep_connections(AuthorizedSession(credentials), _CONNECTIONS)
    return Client(project="none", credentials=credentials, client_options=options, _http=session)


def _stored(blob: Any) -> StoredObject:
    return StoredObject(blob.name, blob.size, blob.updated.timestamp(), blob.crc32c or "")


def _service_account(key: str) -> Any:
    from google.oauth2.service_account import Credentials

    try:
        info = json.loads(key)
    except ValueError:
        raise UserError("keySecret is not the JSON key of a service account", hint=_KEY_HINT) from None
    if not isinstance(info, dict) or info.get("type", "service_account") != "service_account":
        raise UserError("keySecret is JSON, but not the key of a service account", hint=_KEY_HINT)
    try:
        return Credentials.from_service_account_info(info, scopes=[_SCOPE])
    except (ValueError, TypeError, AttributeError):
        raise UserError("keySecret is a service account's JSON key with fields missing or damaged", _KEY_HINT) from None
