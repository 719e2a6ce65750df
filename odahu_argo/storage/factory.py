"""From a connection's fields to its store."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from odahu_argo.errors import UserError
from odahu_argo.storage.base import ObjectStore
from odahu_argo.storage.paths import has_control_characters

if TYPE_CHECKING:
    from odahu_argo.storage.azure_address import Address

Opened = tuple[ObjectStore, str]


def open_store(fields: Mapping[str, str]) -> Opened:
    """The store that a connection names, and the path of its URI within the bucket (empty for the bucket's root).

    Nothing is sent to the store yet; without a key the machine may be asked for its identity.

    Raises:
        UserError: the type is no object store, or its fields are not usable.
    """
    kind = fields.get("type", "")
    if kind not in _OPENERS:
        raise UserError(
            f"a connection of type {kind or '(none)'!r} is no object store",
            hint=f"the connection's field `type` must be one of {', '.join(_OPENERS)}",
        )
    return _OPENERS[kind](fields)


def s3_place(fields: Mapping[str, str]) -> tuple[str, str]:
    """Bucket and path of a connection to S3.

    Raises:
        UserError: its URI names none.
    """
    return _bucket(fields, ("s3", "s3a", "s3n"), "S3", "s3://bucket/path")


def gcs_place(fields: Mapping[str, str]) -> tuple[str, str]:
    """Bucket and path of a connection to Google Cloud Storage.

    Raises:
        UserError: its URI names none.
    """
    return _bucket(fields, ("gs", "gsc"), "Google Cloud Storage", "gs://bucket/path")


def azure_place(fields: Mapping[str, str]) -> Address:
    """Container and key of a connection to Azure Blob Storage.

    Raises:
        UserError: a field has none of the known forms.
    """
    from odahu_argo.storage.azure_address import read_address

    _uri(fields)
    return read_address(fields, _shown(fields))


def _open_s3(fields: Mapping[str, str]) -> Opened:
    from odahu_argo.storage.s3 import S3Store

    bucket, path = s3_place(fields)
    return S3Store.connect(bucket, fields), path


def _open_gcs(fields: Mapping[str, str]) -> Opened:
    from odahu_argo.storage.gcs import GcsStore

    bucket, path = gcs_place(fields)
    return GcsStore.connect(bucket, fields), path


def _open_azure(fields: Mapping[str, str]) -> Opened:
    from odahu_argo.storage.azure import AzureStore

    address = azure_place(fields)
    return AzureStore.connect(address), address.path


def _open_files(fields: Mapping[str, str]) -> Opened:
    from odahu_argo.storage.files import FileStore

    uri = urlsplit(_uri(fields))
    if uri.scheme != "file" or uri.netloc not in ("", "localhost") or not uri.path.startswith("/"):
        raise UserError(f"the URI {_shown(fields)} names no local folder", hint="write it as file:///absolute/folder")
    return FileStore.at(unquote(uri.path)), ""


def _bucket(fields: Mapping[str, str], schemes: Collection[str], service: str, form: str) -> tuple[str, str]:
    """Bucket and path; keys are not percent-encoded in such a URI, so a path may hold `?`, `#` and `%`."""
    scheme, _, rest = _uri(fields).partition("://")
    bucket, _, path = rest.partition("/")
    if scheme not in schemes or not re.fullmatch(r"[\w.-]+", bucket):
        kind = _KINDS.get(scheme)
        other = f", or set type to {kind} for {scheme}://" if kind and scheme not in schemes else ""
        raise UserError(f"the URI {_shown(fields)} names no {service} bucket", hint=f"write it as {form}{other}")
    return bucket, path.lstrip("/")


def _uri(fields: Mapping[str, str]) -> str:
    uri = fields.get("uri", "").strip()
    if not uri:
        raise UserError("the connection has no URI", hint="set its field `uri`, as in s3://bucket/path")
    if has_control_characters(uri):
        raise UserError("the connection's URI holds control characters", hint="write its field `uri` anew")
    return uri


def _shown(fields: Mapping[str, str]) -> str:
    """The URI for a message: without user name, password and signature, should someone have put them there."""
    scheme, separator, rest = _uri(fields).partition("://")
    place = re.split(r"[?#]", rest, maxsplit=1)[0]
    container, _, _ = place.partition("@")
    if "@" in place and not (_KINDS.get(scheme) == "azureblob" and re.fullmatch(r"[\w$-]+", container)):
        place = place.rpartition("@")[2]
    elif "@" in rest.removeprefix(place):
        place = "..."
    return repr(scheme + separator + place)


_OPENERS: dict[str, Callable[[Mapping[str, str]], Opened]] = {
    "s3": _open_s3,
    "gcs": _open_gcs,
    "azureblob": _open_azure,
    "file": _open_files,
}
_KINDS = {
    **dict.fromkeys(("s3", "s3a", "s3n"), "s3"),
    **dict.fromkeys(("gs", "gsc"), "gcs"),
    **dict.fromkeys(("abfs", "abfss", "wasb", "wasbs"), "azureblob"),
    "file": "file",
}
"""The type of connection for each scheme that tells it."""
