"""Object storage in a cloud, accessed with obstore (https://developmentseed.org/obstore).

Only obstore's synchronous functions are used: its asynchronous ones may abort the process at exit.
"""

from __future__ import annotations

import os
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

import certifi
import obstore
from obstore.exceptions import BaseError

from odahu_argo.errors import OdahuArgoError, ServiceFault, UserError
from odahu_argo.storage.base import RangeIgnored, StoredObject, TransferStopped
from odahu_argo.storage.errors import RETRY_HINT, ErrorTable, Failure, invalid_key
from odahu_argo.storage.paths import has_control_characters, has_dots

if TYPE_CHECKING:
    from obstore import ObjectMeta
    from obstore.store import AzureStore, ClientConfig, GCSStore, RetryConfig, S3Store

    Client = S3Store | GCSStore | AzureStore

T = TypeVar("T")
_STORE_ERRORS = (BaseError, FileNotFoundError, ValueError)
"""What obstore raises. It raises FileNotFoundError for status 404 and ValueError for unusable arguments."""

READ_CHUNK = 1024 * 1024
UPLOAD_PART = 6 * 1024 * 1024
UPLOADS_AT_ONCE = 4
_MOST_PARTS = 10_000
"""S3 and Google Cloud Storage accept no more parts for one object."""
_STATS_AT_ONCE = 16

READ_TIMEOUTS: ClientConfig = {"connect_timeout": "10s", "read_timeout": "20s", "timeout": "24h"}
"""`read_timeout` limits silence, so a stopped download ends within it. `timeout` limits a whole request."""
UPLOAD_TIMEOUTS: ClientConfig = {"connect_timeout": "10s", "timeout": "5min"}
NO_RETRIES: RetryConfig = {"max_retries": 0}
"""Reads are retried by `transfer`, which can be stopped meanwhile."""
UPLOAD_RETRIES: RetryConfig = {
    "max_retries": 6,
    "backoff": {"init_backoff": timedelta(seconds=0.5), "max_backoff": timedelta(seconds=8), "base": 2},
    "retry_timeout": timedelta(seconds=60),
}


class Credentials:
    """A credential provider that keeps the exception of its last failure, of which obstore reports only the text."""

    def __init__(self, fetch: Callable[[], Any]) -> None:
        self._fetch = fetch
        self.failure: Exception | None = None

    def __call__(self) -> Any:
        """Fetch the credentials; obstore caches them until they expire."""
        try:
            return self._fetch()
        except Exception as error:
            self.failure = error
            raise


class CloudStore(ABC):
    """A bucket or container. Subclasses know the settings, credentials and error codes of one cloud.

    `root` is the address of the bucket for messages, `server` the name or address of the server.
    """

    read_headers: ClassVar[dict[str, str]] = {}
    """Headers of requests for single objects."""

    def __init__(self, root: str, server: str, errors: ErrorTable) -> None:
        self.root, self.server, self.errors = root, server, errors
        self.credentials: Credentials | None = None
        self._clients: dict[bool, Client] = {}
        self._connecting = threading.Lock()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.root!r})"

    @abstractmethod
    def connect(self, timeouts: ClientConfig, retries: RetryConfig) -> Client:
        """Return a new client of obstore. Sends no request."""

    @abstractmethod
    def credential_error(self, what: str, error: Exception) -> OdahuArgoError | None:
        """Return the error to raise for an exception of the credential provider; None if it is unknown."""

    @contextmanager
    def preparation_errors(self) -> Iterator[None]:
        """Map exceptions of the packages that find credentials."""
        try:
            yield
        except OdahuArgoError:
            raise
        except Exception as error:
            if known := self.credential_error(f"cannot prepare the connection to {self.root}", error):
                raise known from error
            raise

    def recover(self, failure: Failure) -> bool:
        """Change the settings so that a new client avoids this failure; return whether that is possible."""
        return False

    def url(self, key: str) -> str:
        """Return the address of an object, without credentials."""
        return f"{self.root}/{key}"

    def list(self, folder: str) -> Iterator[StoredObject]:
        """Iterate over all objects below `folder`, without folder markers."""
        prefix = _checked(folder.rstrip("/")) if folder.strip("/") else ""

        def all_pages(client: Client) -> list[ObjectMeta]:
            return [entry for page in obstore.list(client, prefix or None, chunk_size=1000) for entry in page]

        entries = self._request("list", f"{prefix}/" if prefix else "", all_pages)
        objects = sorted((_stored(entry) for entry in entries), key=lambda entry: entry.key)
        yield from self._without_markers(objects)

    def stat(self, key: str) -> StoredObject | None:
        """Return the object with exactly this key; None if it does not exist or is a folder marker."""
        _checked(key)

        def head(client: Client) -> StoredObject | None:
            try:
                result = obstore.get(client, key, options={"head": True})
            except FileNotFoundError:
                return None
            return None if _is_folder(result.attributes) else _stored(result.meta)

        return self._request("read", key, head)

    def read(self, source: StoredObject, start: int = 0, end: int | None = None) -> Iterator[bytes]:
        """Iterate over bytes of the object in chunks of about `READ_CHUNK` bytes."""
        if source.size == 0:
            return
        is_whole = start == 0 and end in (None, source.size)
        options: Any = {} if is_whole else {"range": (start, source.size if end is None else end)}
        result = self._request("download", source.key, lambda client: obstore.get(client, source.key, options=options))
        etag = _etag(result.meta)
        if source.etag and etag and source.etag != etag:
            raise ServiceFault(
                f"{self.url(source.key)} was changed during the download",
                hint="repeat the download when it is complete",
            )
        with self._errors("download", source.key):
            yield from result.stream(min_chunk_size=READ_CHUNK)

    def upload(
        self, chunks: Iterator[bytes], key: str, max_size: int, owner: str, stopped: threading.Event | None = None
    ) -> int:
        """Upload the chunks; more than one part's worth goes up in several parts at once.

        obstore aborts the multipart upload when it fails.
        """
        _checked(key)
        content = _UploadContent(chunks, stopped)
        part = max(UPLOAD_PART, max_size // _MOST_PARTS + 1)
        with self._errors("upload", key, content):
            first = content.take(part)
            try:
                self._put(key, first, content, part)
            except _STORE_ERRORS as error:
                if content.size > len(first) or not self.recover(Failure.parse(error)):
                    raise
                self._put(key, first, content, part)
        return content.size

    def _put(self, key: str, first: bytes, content: Iterator[bytes], part: int) -> None:
        client = self.connect(UPLOAD_TIMEOUTS, UPLOAD_RETRIES)
        if len(first) < part:
            obstore.put(client, key, first, use_multipart=False)
        else:
            chunks = chain([first], content)
            obstore.put(client, key, chunks, chunk_size=part, max_concurrency=UPLOADS_AT_ONCE)

    def _without_markers(self, objects: Sequence[StoredObject]) -> Iterator[StoredObject]:
        """Leave out folder markers, which obstore lists without their trailing slash, as empty objects."""
        empty = [entry.key for entry in objects if entry.size == 0]
        with ThreadPoolExecutor(_STATS_AT_ONCE) as pool:
            markers = {key for key, entry in zip(empty, pool.map(self.stat, empty), strict=True) if entry is None}
        return (entry for entry in objects if entry.key not in markers)

    def _request(self, action: str, key: str, call: Callable[[Client], T]) -> T:
        """Return the result of `call`, repeated once with a new client if `recover` could change its settings."""
        is_list = action == "list"
        with self._errors(action, key):
            try:
                return call(self._client(is_list))
            except _STORE_ERRORS as error:
                failure = Failure.parse(error)
                if not is_list and failure.status and not failure.has_code:
                    failure = self._failure_of_list(key) or failure
                if not self.recover(failure):
                    raise self._error(action, key, failure) from None
                self._clients.clear()
                return call(self._client(is_list))

    def _client(self, is_list: bool) -> Client:
        headers = {} if is_list else self.read_headers
        with self._connecting:
            if bool(headers) not in self._clients:
                options: ClientConfig = {**READ_TIMEOUTS, "default_headers": headers} if headers else READ_TIMEOUTS
                self._clients[bool(headers)] = self.connect(options, NO_RETRIES)
            return self._clients[bool(headers)]

    def _failure_of_list(self, key: str) -> Failure | None:
        """Send a list request to get an error code. The answer to a HEAD request has no body and so no code."""
        try:
            next(obstore.list(self._client(is_list=True), key or None), None)
        except _STORE_ERRORS as error:
            return Failure.parse(error)
        return None

    @contextmanager
    def _errors(self, action: str, key: str, content: _UploadContent | None = None) -> Iterator[None]:
        """Map exceptions of obstore. They are not chained: their text may contain signatures."""
        try:
            yield
        except _STORE_ERRORS as error:
            if content and content.failure:
                raise content.failure from None
            raise self._error(action, key, Failure.parse(error)) from None

    def _error(self, action: str, key: str, failure: Failure) -> Exception:
        what = f"cannot {action} {self.url(key)}"
        if failure.is_range_ignored:
            return RangeIgnored(what)
        if failure.invalid_key is not None:
            return invalid_key(self.url(failure.invalid_key))
        if failure.is_about_credentials:
            cause = self.credentials.failure if self.credentials else None
            known = self.credential_error(what, cause) if cause else None
            return known or ServiceFault(f"{what}: no usable credentials ({type(cause).__name__})", hint=RETRY_HINT)
        return self.errors.error(what, self.server, failure)


class _UploadContent:
    """The chunks of an upload, with the number of bytes read so far and the exception that the chunks raised."""

    def __init__(self, chunks: Iterator[bytes], stopped: threading.Event | None) -> None:
        self._chunks, self._stopped = chunks, stopped
        self.size = 0
        self.failure: BaseException | None = None

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        if self._stopped and self._stopped.is_set():
            raise TransferStopped
        try:
            chunk = next(self._chunks)
        except StopIteration:
            raise
        except BaseException as error:
            self.failure = error
            raise
        self.size += len(chunk)
        return chunk

    def take(self, size: int) -> bytes:
        """Read chunks until there are `size` bytes or more, or the content ends."""
        taken = bytearray()
        while len(taken) < size and (chunk := next(self, None)) is not None:
            taken += chunk
        return bytes(taken)


def client_options(timeouts: ClientConfig, url: str, ca_variables: Sequence[str]) -> ClientConfig:
    """Return obstore's options for the server at `url`.

    Certificate authorities come from the file or folder that the first set variable of `ca_variables` specifies, else
    from certifi, and always from the operating system. obstore reads the proxy variables itself.

    Raises:
        UserError: the file with certificate authorities cannot be used.
    """
    if not url.startswith("https://"):
        return {**timeouts, "allow_http": True}
    variable = next((name for name in ca_variables if os.environ.get(name)), None)
    path = Path(os.environ[variable] if variable else certifi.where())
    try:
        files = sorted(file for file in path.iterdir() if file.is_file()) if path.is_dir() else [path]
        certificates = b"\n".join(file.read_bytes() for file in files)
        if b"-----BEGIN CERTIFICATE-----" not in certificates:
            raise ValueError("it contains no PEM certificate")
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise UserError(
            f"the certificate authorities in {path} cannot be used: {reason}",
            hint=f"correct the environment variable {variable}",
        ) from None
    return {**timeouts, "root_certificate": certificates}


def _checked(key: str) -> str:
    if has_dots(key) or "//" in f"{key}/" or has_control_characters(key):
        raise UserError(
            f"the path {key!r} is not supported",
            hint="write a path without `.`, `..`, empty segments and control characters",
        )
    return key


def _stored(meta: ObjectMeta) -> StoredObject:
    return StoredObject(meta["path"], meta["size"], meta["last_modified"].timestamp(), _etag(meta))


def _etag(meta: ObjectMeta) -> str:
    return (meta["e_tag"] or "").removeprefix("W/").strip('"')


def _is_folder(attributes: Mapping[Any, str]) -> bool:
    """Hadoop and accounts with a hierarchical namespace mark folders on Azure with this metadata."""
    return any(str(name).lower() == "hdi_isfolder" and value == "true" for name, value in attributes.items())
