"""Reading from S3 without boto3."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from urllib.parse import quote, urlencode

from odahu_argo.storage.asking import Page, Refused, Unanswered, all_pages, ask, object_of
from odahu_argo.storage.base import Arriving, OnBytes, StoredObject
from odahu_argo.storage.checksums import fits_s3
from odahu_argo.storage.reading import Source, start
from odahu_argo.storage.request import Answer, Asked
from odahu_argo.storage.s3_answers import read_page
from odahu_argo.storage.s3_key import Keys, signature
from odahu_argo.storage.server import Server, Trust

_WITH_CHECKSUM = {"x-amz-checksum-mode": "ENABLED"}
_NOT_THE_END = ("AuthorizationHeaderMalformed", "IllegalLocationConstraintException")
"""Codes for a bucket in another region than the connection says, where boto3 goes."""


@dataclass(frozen=True, slots=True)
class Place:
    """A bucket: its URL without a slash at the end, and the region that signatures name."""

    url: str
    region: str


@dataclass(frozen=True, slots=True)
class S3Reading:
    """One bucket, to be read.

    `list` and `stat` raise `Refused` where S3 refuses, and `Unanswered` where there was no clear answer.
    """

    server: Server = field(repr=False)

    @classmethod
    def of(cls, place: Place, keys: Keys | Callable[[], Keys]) -> S3Reading:
        """The reader of this bucket, with keys that stay or are asked for before each request."""
        return cls(Server(place.url, Trust(("AWS_CA_BUNDLE",)), partial(_sign, place.region, keys)))

    def list(self, prefix: str) -> list[StoredObject]:
        """All objects below the prefix, asked for a page of 1000 at a time."""

        def page(token: str) -> Page:
            return read_page(self._ask("GET", _list_query(prefix, token)).body)

        return all_pages(page)

    def stat(self, key: str) -> StoredObject | None:
        """The object of exactly this key."""
        try:
            return object_of(key, self._ask("HEAD", _path(key)).headers)
        except Refused as refusal:
            if refusal.status == 404:
                return None
            # The answer to HEAD has no words. That to a list has.
            self._ask("GET", _list_query(key, "", most=1))
            raise Unanswered from refusal

    def start(self, source: StoredObject, target: Path, on_bytes: OnBytes) -> Arriving | None:
        """Begin to write the object to the file; None where boto3 has to."""
        asked = Source(_path(source.key), source.size, _WITH_CHECKSUM, _fits)
        return start(self.server, asked, target, on_bytes)

    def _ask(self, method: str, path: str) -> Answer:
        try:
            return ask(self.server, method, path)
        except Refused as refusal:
            if refusal.code in _NOT_THE_END:
                raise Unanswered(refusal.code) from refusal
            raise


def _path(key: str) -> str:
    return "/" + quote(key, safe="/~")


def _list_query(prefix: str, token: str, most: int = 1000) -> str:
    query = {"list-type": "2", "prefix": prefix, "encoding-type": "url", "max-keys": str(most)}
    return "?" + urlencode({**query, "continuation-token": token} if token else query, quote_via=quote)


def _sign(region: str, keys: Keys | Callable[[], Keys], asked: Asked) -> Mapping[str, str]:
    return signature(keys if isinstance(keys, Keys) else keys(), region, asked)


def _fits(answer: Answer) -> bool:
    return fits_s3(answer.headers, answer.body)
