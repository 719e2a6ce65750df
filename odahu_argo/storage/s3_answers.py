"""What S3 answers in XML (Amazon S3's API reference: ListObjectsV2)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from urllib.parse import unquote_plus
from xml.etree import ElementTree

from odahu_argo.storage.asking import Page, Unanswered, root_of
from odahu_argo.storage.base import StoredObject


def read_page(body: bytes) -> Page:
    """A page of ListObjectsV2.

    Raises:
        Unanswered: it cannot be read as such.
    """
    try:
        page = root_of(body, "ListBucketResult")
        decode = unquote_plus if page.findtext("{*}EncodingType") == "url" else str
        objects = [_object(entry, decode) for entry in page.iterfind("{*}Contents")]
    except ValueError as error:
        raise Unanswered(str(error)) from error
    return Page(
        objects, page.findtext("{*}NextContinuationToken") if page.findtext("{*}IsTruncated") == "true" else None
    )


def _object(entry: ElementTree.Element, decode: Callable[[str], str]) -> StoredObject:
    key, size, modified = (entry.findtext(f"{{*}}{name}", "") for name in ("Key", "Size", "LastModified"))
    return StoredObject(decode(key), int(size), datetime.fromisoformat(modified).timestamp())
