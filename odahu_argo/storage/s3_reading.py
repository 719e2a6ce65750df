"""Reading from S3 without boto3."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from odahu_argo.storage.reading import SMALL, Answer, Page, Refused, Source, Unanswered, all_pages, ask, start
from odahu_argo.storage.s3_answers import read_page
from odahu_argo.storage.server import Server, Trust
from odahu_argo.storage.store import Arriving, OnBytes, StoredObject

_NOT_THE_END = ("AuthorizationHeaderMalformed", "IllegalLocationConstraintException")
"""Codes for a bucket in another region than the connection says, where boto3 goes."""


@dataclass(frozen=True, slots=True)
class Place:
    """A bucket: its URL without a slash at the end, and the region that signatures name."""

    url: str
    region: str


@dataclass(frozen=True, slots=True)
class Keys:
    """An identity with S3."""

    key_id: str
    secret: str = field(repr=False)
    token: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class S3Reading:
    """One bucket, to be read.

    `list` and `stat` raise `Refused` where S3 refuses, and `Unanswered` where there was no clear answer.
    """

    server: Server = field(repr=False)

    @classmethod
    def of(cls, place: Place, keys: Keys | Callable[[], Keys]) -> S3Reading:
        """The reader of this bucket, with keys that stay or are asked for before each request."""
        signing = _signing(place.region, keys)
        return cls(Server(place.url, Trust.named_by("AWS_CA_BUNDLE"), signing, place.region))

    def list(self, prefix: str) -> list[StoredObject]:
        """All objects below the prefix, asked for a page of 1000 at a time."""

        def page(token: str) -> Page:
            return read_page(self._ask("ListObjectsV2", "GET", _list_query(prefix, token)).body)

        return all_pages(page)

    def stat(self, key: str) -> StoredObject | None:
        """The object of exactly this key."""
        try:
            headers = self._ask("HeadObject", "HEAD", _path(key)).headers
        except Refused as refusal:
            if refusal.status == 404:
                return None
            # The answer to HEAD has no words. That to a list has.
            self._ask("ListObjectsV2", "GET", _list_query(key, "", most=1))
            raise Unanswered from refusal
        try:
            modified = parsedate_to_datetime(headers["last-modified"]).timestamp()
            return StoredObject(key, int(headers["content-length"]), modified)
        except (KeyError, ValueError) as error:
            raise Unanswered from error

    def start(self, source: StoredObject, target: Path, on_bytes: OnBytes) -> Arriving | None:
        """Begin to write the object to the file; None where boto3 has to."""
        from awscrt.s3 import S3ChecksumConfig, S3ChecksumValidationMode

        path = _path(source.key)
        checksum = S3ChecksumConfig(
            validate_response=True, response_validation_mode=S3ChecksumValidationMode.REQUEST_ONLY
        )
        headers = partial(self._signed, path) if source.size > SMALL else dict
        return start(self.server, Source(path, source.size, headers), target, on_bytes, checksum_config=checksum)

    def _signed(self, path: str) -> dict[str, str]:
        """The headers of a request that is signed now; the client signs by itself, with the time of each request."""
        from awscrt.auth import aws_sign_request
        from awscrt.http import HttpHeaders, HttpRequest

        base = urlsplit(self.server.url)
        request = HttpRequest("GET", base.path + path, HttpHeaders([("Host", base.netloc)]))
        aws_sign_request(request, self.server.signing.replace(date=datetime.now(UTC))).result()
        return dict(request.headers)

    def _ask(self, operation: str, method: str, path: str) -> Answer:
        try:
            return ask(self.server, method, path, operation=operation)
        except Refused as refusal:
            if refusal.code in _NOT_THE_END:
                raise Unanswered(refusal.code) from refusal
            raise


def _path(key: str) -> str:
    return "/" + quote(key, safe="/~")


def _list_query(prefix: str, token: str, most: int = 1000) -> str:
    query = {"list-type": "2", "prefix": prefix, "encoding-type": "url", "max-keys": str(most)}
    return "?" + urlencode({**query, "continuation-token": token} if token else query, quote_via=quote)


def _signing(region: str, keys: Keys | Callable[[], Keys]) -> Any:
    """With keys that stay, or are asked for before each request."""
    from awscrt.auth import AwsCredentials, AwsCredentialsProvider
    from awscrt.s3 import create_default_s3_signing_config

    if isinstance(keys, Keys):
        provider = AwsCredentialsProvider.new_static(keys.key_id, keys.secret, keys.token)
    else:

        def ask() -> Any:
            now = keys()
            return AwsCredentials(now.key_id, now.secret, now.token)

        provider = AwsCredentialsProvider.new_delegate(ask)
    return create_default_s3_signing_config(region=region, credential_provider=provider)
