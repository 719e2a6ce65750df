"""What S3 answers in XML (Amazon S3's API reference: ListObjectsV2, REST error responses)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import unquote_plus
from xml.etree import ElementTree

from odahu_argo.storage.store import StoredObject


class Garbled(Exception):
    """This is no such answer."""


@dataclass(frozen=True, slots=True)
class Page:
    """A part of a list, and the token to ask for the next with; None at the end."""

    objects: list[StoredObject]
    token: str | None


def read_page(body: bytes | bytearray) -> Page:
    """A page of ListObjectsV2.

    Raises:
        Garbled: it cannot be read as such.
    """
    try:
        page = ElementTree.fromstring(bytes(body))
        decode = unquote_plus if page.findtext("{*}EncodingType") == "url" else str
        objects = [_object(entry, decode) for entry in page.iterfind("{*}Contents")]
    except (ElementTree.ParseError, ValueError) as error:
        raise Garbled(str(error)) from error
    return Page(
        objects, page.findtext("{*}NextContinuationToken") if page.findtext("{*}IsTruncated") == "true" else None
    )


def error_code(body: bytes | None) -> str | None:
    """S3's code in the body of a refusal, if there is one."""
    try:
        return ElementTree.fromstring(body or b"").findtext("{*}Code")
    except ElementTree.ParseError:
        return None


def _object(entry: ElementTree.Element, decode: Callable[[str], str]) -> StoredObject:
    key, size, modified = (entry.findtext(f"{{*}}{name}", "") for name in ("Key", "Size", "LastModified"))
    return StoredObject(decode(key), int(size), datetime.fromisoformat(modified).timestamp())
