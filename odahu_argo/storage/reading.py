"""Objects read from a server over HTTP: many small ones by AWS's Common Runtime, large ones in ranges by urllib3.

The clouds' own libraries take half a second to start, and 2 to 4 ms of processor for each object; the runtime takes 0.1 s
and 0.3 ms. For a large object it takes twice the processor and five times the memory that urllib3 does.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from odahu_argo.storage.paths import has_dots
from odahu_argo.storage.ranges import InRanges
from odahu_argo.storage.server import Server
from odahu_argo.storage.store import Arriving, OnBytes, StoredObject

SMALL = 1024 * 1024
"""Bytes up to which an object is brought by one request of the runtime."""


@dataclass(frozen=True, slots=True)
class Source:
    """An object: its path, which goes on from the server's URL, its size in bytes, and what tells that we may read it.

    `headers` is asked for before each request. It need not sign for S3 where an object is small, for the runtime does.
    """

    path: str
    size: int
    headers: Callable[[], Mapping[str, str]] = dict


class Refused(Exception):
    """The server's refusal, by HTTP status and the cloud's code, which is the status where there is no other."""

    def __init__(self, status: int, code: str) -> None:
        """Refused with this status and code."""
        super().__init__(f"{status} {code}")
        self.status = status
        self.code = code

    @property
    def may_pass(self) -> bool:
        """Whether the same may be granted a little later."""
        return self.status >= 500 or self.status in (408, 429)


class Unanswered(Exception):
    """It did not work here: the cloud's library knows more ways to ask, and more words for what is wrong."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came: headers by their names in small letters, and the body."""

    headers: dict[str, str] = field(default_factory=dict)
    body: bytearray = field(default_factory=bytearray)


@dataclass(frozen=True, slots=True)
class Page:
    """A part of a list, and the token to ask for the next with; None at the end."""

    objects: list[StoredObject]
    token: str | None


def all_pages(page: Callable[[str], Page]) -> list[StoredObject]:
    """The whole list, by what asks for the page of a token, that of the first being empty."""
    found: list[StoredObject] = []
    token: str | None = ""
    while token is not None:
        now = page(token)
        found += now.objects
        token = now.token
    return found


def ask(
    server: Server, method: str, path: str, headers: Mapping[str, str] | None = None, operation: str = "GetObject"
) -> Answer:
    """The answer to a question; `operation` is S3's name for it, by which awscrt chooses how to sign.

    Raises:
        Refused: the server's answer is a refusal.
        Unanswered: there is none, or one that leads elsewhere.
    """
    from awscrt.s3 import S3ResponseError

    answer = Answer()

    def take_headers(headers: list[tuple[str, str]], **_: Any) -> None:
        answer.headers.update((name.lower(), value) for name, value in headers)

    def take_body(chunk: bytes, **_: Any) -> None:
        answer.body.extend(chunk)

    if not server.is_usable:
        raise Unanswered("the server is not usable")
    try:
        asking = _request(server, operation, method, path, headers or {}, on_headers=take_headers, on_body=take_body)
        try:
            asking.finished_future.result()
        except BaseException:
            asking.cancel()
            raise
    except S3ResponseError as error:
        if error.status_code < 400:
            raise Unanswered(str(error)) from error
        raise Refused(error.status_code, _code(error) or str(error.status_code)) from error
    except Exception as error:
        raise Unanswered(str(error)) from error
    return answer


def _code(error: Any) -> str | None:
    """The code that Azure gives in a header, and S3 and Azure in a body of XML."""
    from xml.etree import ElementTree

    told = next((value for name, value in error.headers or () if name.lower() == "x-ms-error-code"), None)
    if told or not error.body:
        return told
    try:
        return ElementTree.fromstring(error.body).findtext("{*}Code")
    except ElementTree.ParseError:
        return None


def start(server: Server, source: Source, target: Path, on_bytes: OnBytes, **options: Any) -> Arriving | None:
    """Begin to write an object to the file. The error of the future is awscrt's or urllib3's.

    `options` are awscrt's for a small object, which is in memory until all of it has come. None where the server is not
    usable, the path leads elsewhere, or a small object cannot be begun, which the cloud's library has words for.

    Raises:
        OSError: the file of a large object cannot be written.
        UserError: the authorities that the machine trusts cannot be used.
    """
    if not server.is_usable or has_dots(source.path.partition("?")[0]):
        return None
    if source.size > SMALL:
        return InRanges(server, server.url + source.path, source.headers, source.size, target, on_bytes)
    options["recv_filepath"] = str(target)
    with suppress(Exception):
        return _Getting(_request(server, "GetObject", "GET", source.path, source.headers(), **options))
    return None


class _Getting:
    """A small object that the runtime is getting. It is told of at its end alone: a call from the runtime costs as much."""

    moved = 0

    def __init__(self, request: Any) -> None:
        self.future: Future[None] = request.finished_future
        self.stop: Callable[[], None] = request.cancel


def _request(server: Server, operation: str, method: str, path: str, headers: Mapping[str, str], **options: Any) -> Any:
    from awscrt.http import HttpHeaders, HttpRequest
    from awscrt.s3 import S3RequestType

    base = urlsplit(server.url)
    request = HttpRequest(method, base.path + path, HttpHeaders([("Host", base.netloc), *headers.items()]))
    return server.runtime.make_request(type=S3RequestType.DEFAULT, operation_name=operation, request=request, **options)
