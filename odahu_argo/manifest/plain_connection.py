"""A connection's fields as steps read them: by ODAHU's names, plain, one text for each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from odahu_argo.errors import UserError
from odahu_argo.manifest.models import Connection, ConnectionSpec
from odahu_argo.manifest.secret_text import SecretText, read_secret

SECRET_FIELDS = ("password", "keyID", "keySecret")
"""What nobody but a step may see."""
OPEN_FIELDS = ("type", "uri", "region", "username", "role", "publicKey", "reference", "endpoint")
"""What tells where something is, and under which name one gets in."""


@dataclass(frozen=True, slots=True)
class PlainConnection:
    """The fields that are not empty; `decoded` are those that the manifest held as base64."""

    fields: Mapping[str, str] = field(repr=False)
    decoded: tuple[str, ...] = ()


def plain_connection(connection: Connection) -> PlainConnection:
    """The connection's fields, decoded where the manifest has them as base64 (`secret_text` has the rule).

    Raises:
        UserError: a field must be base64 by the manifest's `secretEncoding`, and is not.
    """
    spec = connection.spec
    written = {**secrets_as_written(spec), "publicKey": spec.public_key}
    read = {name: _read(connection.id, name, value, spec.secret_encoding) for name, value in written.items()}
    fields = {
        "type": spec.type,
        "uri": spec.uri,
        "region": spec.region,
        "username": spec.username,
        "role": spec.role,
        "reference": spec.reference,
        "endpoint": spec.endpoint,
        **{name: secret.plain for name, secret in read.items()},
    }
    return PlainConnection(
        {name: value for name, value in fields.items() if value},
        tuple(name for name, secret in read.items() if secret.was_encoded),
    )


def secrets_as_written(spec: ConnectionSpec) -> dict[str, str]:
    """The secret fields as the manifest has them."""
    values = (spec.password, spec.key_id, spec.key_secret)
    return {name: value.get_secret_value() for name, value in zip(SECRET_FIELDS, values, strict=True)}


def _read(connection: str, name: str, value: str, encoding: Literal["plain", "base64"] | None) -> SecretText:
    try:
        return read_secret(value, encoding)
    except ValueError as error:
        hint = "correct it, or set secretEncoding: plain"
        raise UserError(f"connection {connection!r}: its field {name} {error}", hint) from None
