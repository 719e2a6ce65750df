"""From a connection's fields to its store."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from urllib.parse import unquote, urlsplit

from odahu_argo.errors import UserError
from odahu_argo.storage.paths import has_control_characters
from odahu_argo.storage.store import ObjectStore

Opened = tuple[ObjectStore, str]


def open_store(fields: Mapping[str, str]) -> Opened:
    """The store that a connection names, and the path of its URI within the bucket (empty for the bucket's root).

    Nothing is sent over the network yet.

    Raises:
        UserError: the type is no object store, or its fields are not usable.
    """
    kind = fields.get("type", "")
    if kind in _LATER:
        raise UserError(
            f"object stores of type {kind} are not supported yet", hint="use a connection of type s3 for now"
        )
    if kind not in _OPENERS:
        raise UserError(
            f"a connection of type {kind or '(none)'!r} is no object store",
            hint=f"the connection's field `type` must be one of {', '.join(_OPENERS)}",
        )
    return _OPENERS[kind](fields)


def _open_s3(fields: Mapping[str, str]) -> Opened:
    from odahu_argo.storage.s3 import S3Store

    uri = urlsplit(_uri(fields))
    if uri.scheme not in ("s3", "s3a", "s3n") or not uri.netloc:
        raise UserError(f"the URI {_shown(fields)} names no S3 bucket", hint="write it as s3://bucket/path")
    return S3Store.connect(uri.netloc, fields), uri.path.lstrip("/")


def _open_files(fields: Mapping[str, str]) -> Opened:
    from odahu_argo.storage.files import FileStore

    uri = urlsplit(_uri(fields))
    if uri.scheme != "file" or uri.netloc not in ("", "localhost") or not uri.path.startswith("/"):
        raise UserError(f"the URI {_shown(fields)} names no local folder", hint="write it as file:///absolute/folder")
    return FileStore.at(unquote(uri.path)), ""


def _uri(fields: Mapping[str, str]) -> str:
    uri = fields.get("uri", "").strip()
    if not uri:
        raise UserError("the connection has no URI", hint="set its field `uri`, as in s3://bucket/path")
    if has_control_characters(uri):
        raise UserError("the connection's URI holds control characters", hint="write its field `uri` anew")
    return uri


def _shown(fields: Mapping[str, str]) -> str:
    """The URI for a message: without user name and password, should someone have put them there."""
    scheme, separator, rest = _uri(fields).partition("://")
    return repr(scheme + separator + rest.rpartition("@")[2])


_OPENERS: dict[str, Callable[[Mapping[str, str]], Opened]] = {"s3": _open_s3, "file": _open_files}
_LATER = ("gcs", "azureblob")
