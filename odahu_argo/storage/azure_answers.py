"""What Azure answers about blobs (the REST API of Blob Storage: List Blobs, Get Blob Properties)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from email.utils import parsedate_to_datetime
from functools import lru_cache
from urllib.parse import unquote
from xml.etree import ElementTree

from odahu_argo.storage.asking import Page, Unanswered, object_of, root_of
from odahu_argo.storage.base import StoredObject

_METADATA = "x-ms-meta-"


def read_page(body: bytes) -> Page:
    """A page of List Blobs with metadata, without the folders.

    Raises:
        Unanswered: it cannot be read as such.
    """
    try:
        page = root_of(body, "EnumerationResults")
        return Page(
            [_blob(entry) for entry in page.iterfind("Blobs/Blob") if not is_folder(_metadata(entry))],
            page.findtext("NextMarker") or None,
        )
    except ValueError as error:
        raise Unanswered(str(error)) from error


def read_blob(key: str, headers: Mapping[str, str]) -> StoredObject | None:
    """The blob that these headers, by names in small letters, are about; None where it is a folder.

    Raises:
        Unanswered: they do not tell size and time.
    """
    own = ((name.removeprefix(_METADATA), value) for name, value in headers.items() if name.startswith(_METADATA))
    return None if is_folder(own) else object_of(key, headers)


def is_folder(metadata: Iterable[tuple[str, str]]) -> bool:
    """Accounts with a hierarchical namespace, and Hadoop, keep folders as empty objects with this mark."""
    return any(name.lower() == "hdi_isfolder" and value.lower() == "true" for name, value in metadata)


def _blob(entry: ElementTree.Element) -> StoredObject:
    name = entry.find("Name")
    key = (name.text or "") if name is not None else ""
    if name is not None and name.get("Encoded") == "true":
        key = unquote(key)
    size, modified = (entry.findtext(f"Properties/{what}", "") for what in ("Content-Length", "Last-Modified"))
    return StoredObject(key, int(size), _seconds(modified))


def _metadata(entry: ElementTree.Element) -> Iterable[tuple[str, str]]:
    return ((child.tag, child.text or "") for child in entry.iterfind("Metadata/*"))


@lru_cache(1000)
def _seconds(date: str) -> float:
    return parsedate_to_datetime(date).timestamp()
