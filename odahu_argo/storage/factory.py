"""Opens the object store of a connection."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from urllib.parse import unquote, urlsplit

from odahu_argo.errors import UserError
from odahu_argo.storage.base import ObjectStore
from odahu_argo.storage.connection import azure_location, connection_uri, gcs_location, redacted_uri, s3_location

OpenedStore = tuple[ObjectStore, str]


def open_store(fields: Mapping[str, str]) -> OpenedStore:
    """Return the store of a connection and the path of its URI within the bucket, empty for the bucket's root.

    Sends no request to the store. Without a key, the identity of the machine may be looked up.

    Raises:
        UserError: the type is not an object store, a field is unusable, or the packages of odahu-argo[runner] are missing.
    """
    kind = fields.get("type", "")
    if kind not in _OPENERS:
        raise UserError(
            f"a connection of type {kind or '(none)'!r} is not an object store",
            hint=f"the connection's field `type` must be one of {', '.join(_OPENERS)}",
        )
    try:
        return _OPENERS[kind](fields)
    except ModuleNotFoundError as error:
        raise UserError(
            f"connections of type {kind} need the Python package {error.name}", hint="install odahu-argo[runner]"
        ) from error


def _open_s3(fields: Mapping[str, str]) -> OpenedStore:
    bucket, path = s3_location(fields)
    from odahu_argo.storage.s3 import S3Store

    return S3Store(bucket, fields), path


def _open_gcs(fields: Mapping[str, str]) -> OpenedStore:
    bucket, path = gcs_location(fields)
    from odahu_argo.storage.gcs import GcsStore

    return GcsStore(bucket, fields), path


def _open_azure(fields: Mapping[str, str]) -> OpenedStore:
    address = azure_location(fields)
    from odahu_argo.storage.azure import AzureStore

    return AzureStore(address), address.path


def _open_files(fields: Mapping[str, str]) -> OpenedStore:
    from odahu_argo.storage.files import FileStore

    uri = urlsplit(connection_uri(fields))
    if uri.scheme != "file" or uri.netloc not in ("", "localhost") or not uri.path.startswith("/"):
        raise UserError(
            f"the URI {redacted_uri(fields)} contains no local folder", hint="write it as file:///absolute/folder"
        )
    return FileStore.at(unquote(uri.path)), ""


_OPENERS: dict[str, Callable[[Mapping[str, str]], OpenedStore]] = {
    "s3": _open_s3,
    "gcs": _open_gcs,
    "azureblob": _open_azure,
    "file": _open_files,
}
