"""A bucket's objects listed and read without google-cloud-storage, which takes 0.3 s to start and 2 ms for each object.

By Google's JSON API of Cloud Storage (objects.list, objects.get, and the latter with `alt=media`).
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from odahu_argo.storage.asking import Page, Refused, Unanswered, all_pages, ask
from odahu_argo.storage.base import Arriving, OnBytes, StoredObject
from odahu_argo.storage.checksums import crc32c
from odahu_argo.storage.reading import Source, start
from odahu_argo.storage.request import Answer, Asked
from odahu_argo.storage.server import TRUST_OF_REQUESTS, Server

_FACTS = "name,size,updated,crc32c"
_AS_STORED = {"Accept-Encoding": "gzip"}
"""Else Google unpacks what is stored as gzip."""


@dataclass(frozen=True, slots=True)
class GcsReading:
    """One bucket, seen with these credentials of google-auth; openly where they are None.

    `list` and `stat` raise `Refused` where Google refuses, `Unanswered` where there was no clear answer, and errors of
    google-auth where it finds no token.
    """

    server: Server = field(repr=False)
    bucket: str

    @classmethod
    def of(cls, endpoint: str, bucket: str, credentials: Any) -> GcsReading:
        """The bucket at this endpoint, which has no slash at its end."""
        return cls(Server(endpoint, TRUST_OF_REQUESTS, partial(_authorize, credentials, endpoint)), quote(bucket))

    def list(self, prefix: str) -> list[StoredObject]:
        """All objects below the prefix, asked for a page of 1000 at a time."""

        def page(token: str) -> Page:
            query = {"prefix": prefix, "maxResults": "1000", "fields": f"items({_FACTS}),nextPageToken"}
            if token:
                query["pageToken"] = token
            return _page(
                ask(self.server, "GET", f"/storage/v1/b/{self.bucket}/o?{urlencode(query, quote_via=quote)}").body
            )

        return all_pages(page)

    def stat(self, key: str) -> StoredObject | None:
        """The object of exactly this key."""
        try:
            return _object(
                _json(ask(self.server, "GET", f"/storage/v1/b/{self.bucket}/o/{_name(key)}?fields={_FACTS}").body)
            )
        except Refused as refusal:
            if refusal.status == 404:
                return None
            raise

    def start(self, source: StoredObject, target: Path, on_bytes: OnBytes) -> Arriving | None:
        """Begin to write the object as it is stored to the file; None where the SDK has to."""
        path = f"/download/storage/v1/b/{self.bucket}/o/{_name(source.key)}?alt=media"
        asked = Source(path, source.size, _AS_STORED, partial(_fits, source.crc32c))
        return start(self.server, asked, target, on_bytes)


def _authorize(credentials: Any, url: str, _asked: Asked) -> dict[str, str]:
    headers: dict[str, str] = {}
    if credentials:
        from google.auth.exceptions import TransportError
        from google.auth.transport.requests import Request

        try:
            credentials.before_request(Request(), "GET", url, headers)
        except TransportError as error:
            raise Unanswered(str(error)) from error
    return headers


def _fits(crc: str, answer: Answer) -> bool:
    return not crc or crc == crc32c(answer.body)


def _name(key: str) -> str:
    return quote(key, safe="")


def _page(body: bytes) -> Page:
    page = _json(body)
    return Page([_object(entry) for entry in page.get("items", [])], page.get("nextPageToken") or None)


def _object(facts: Any) -> StoredObject:
    try:
        modified = datetime.fromisoformat(facts["updated"]).timestamp()
        return StoredObject(facts["name"], int(facts["size"]), modified, facts.get("crc32c", ""))
    except (KeyError, TypeError, ValueError) as error:
        raise Unanswered(str(error)) from error


def _json(body: bytes) -> dict[str, Any]:
    try:
        read = json.loads(body)
    except ValueError as error:
        raise Unanswered(str(error)) from error
    if not isinstance(read, dict):
        raise Unanswered("no object of JSON")
    return read
