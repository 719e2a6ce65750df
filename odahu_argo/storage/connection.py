"""Fields of an object-store connection: bucket, path and keys."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

from odahu_argo.errors import UserError
from odahu_argo.storage.paths import has_control_characters

if TYPE_CHECKING:
    from odahu_argo.storage.azure_address import AzureAddress

DEFAULT_REGION = "us-east-1"
_TYPES = {
    **dict.fromkeys(("s3", "s3a", "s3n"), "s3"),
    **dict.fromkeys(("gs", "gsc"), "gcs"),
    **dict.fromkeys(("abfs", "abfss", "wasb", "wasbs"), "azureblob"),
    "file": "file",
}
"""The connection type for each URI scheme."""


def s3_location(fields: Mapping[str, str]) -> tuple[str, str]:
    """Return bucket and path of a connection to S3.

    Raises:
        UserError: the URI contains no bucket.
    """
    return _bucket_and_path(fields, ("s3", "s3a", "s3n"), "S3", "s3://bucket/path")


def gcs_location(fields: Mapping[str, str]) -> tuple[str, str]:
    """Return bucket and path of a connection to Google Cloud Storage.

    Raises:
        UserError: the URI contains no bucket.
    """
    return _bucket_and_path(fields, ("gs", "gsc"), "Google Cloud Storage", "gs://bucket/path")


def azure_location(fields: Mapping[str, str]) -> AzureAddress:
    """Return account, container, path and key of a connection to Azure Blob Storage.

    Raises:
        UserError: a field has an unknown form.
    """
    from odahu_argo.storage.azure_address import parse_address

    connection_uri(fields)
    return parse_address(fields, redacted_uri(fields))


def access_key(fields: Mapping[str, str]) -> tuple[str, str]:
    """Return `keyID` and `keySecret` of a connection to S3, both empty to use the identity of the machine.

    Raises:
        UserError: only one of them is set.
    """
    key_id, secret = fields.get("keyID", ""), fields.get("keySecret", "")
    if bool(key_id) != bool(secret):
        given, missing = ("keyID", "keySecret") if key_id else ("keySecret", "keyID")
        raise UserError(
            f"the connection has {given} but no {missing}", hint="set both, or neither to use the pod's identity"
        )
    return key_id, secret


def connection_uri(fields: Mapping[str, str]) -> str:
    """Return the URI of a connection.

    Raises:
        UserError: it is missing or contains control characters.
    """
    uri = fields.get("uri", "").strip()
    if not uri:
        raise UserError("the connection has no URI", hint="set its field `uri`, for example to s3://bucket/path")
    if has_control_characters(uri):
        raise UserError("the connection's URI contains control characters", hint="correct its field `uri`")
    return uri


def redacted_uri(fields: Mapping[str, str]) -> str:
    """Return the quoted URI for messages, without user name, password and signature."""
    scheme, separator, rest = connection_uri(fields).partition("://")
    address = re.split(r"[?#]", rest, maxsplit=1)[0]
    container, _, _ = address.partition("@")
    if "@" in address and not (_TYPES.get(scheme) == "azureblob" and re.fullmatch(r"[\w$-]+", container)):
        address = address.rpartition("@")[2]
    elif "@" in rest.removeprefix(address):
        address = "..."
    return repr(scheme + separator + address)


def _bucket_and_path(fields: Mapping[str, str], schemes: Collection[str], service: str, form: str) -> tuple[str, str]:
    """Split the URI. Keys are not percent-encoded in it, so a path may contain `?`, `#` and `%`."""
    scheme, _, rest = connection_uri(fields).partition("://")
    bucket, _, path = rest.partition("/")
    if scheme not in schemes or not re.fullmatch(r"[\w.-]+", bucket):
        other = _TYPES.get(scheme)
        advice = f", or set type to {other} for {scheme}://" if other and scheme not in schemes else ""
        raise UserError(
            f"the URI {redacted_uri(fields)} contains no {service} bucket", hint=f"write it as {form}{advice}"
        )
    return bucket, path.lstrip("/")
