"""Secret values of connections: decoding of base64, and the fields that steps read.

Values are text. Bytes that are not UTF-8 are lone surrogates in it (PEP 383): `secret_bytes` returns the original bytes.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from odahu_argo.errors import UserError
from odahu_argo.manifest.models import Connection, ConnectionSpec

SECRET_FIELDS = ("password", "keyID", "keySecret")
"""Fields that only steps may read."""
PUBLIC_FIELDS = ("type", "uri", "region", "username", "role", "publicKey", "reference", "endpoint")
"""Fields without secrets: location and identity."""

DOCKER_SECRET_TYPE = "kubernetes.io/dockerconfigjson"
DOCKER_SECRET_KEY = ".dockerconfigjson"
DOCKER_HUB = "https://index.docker.io/v1/"
"""Key of Docker Hub in a Docker configuration, which the kubelet looks up."""
_DOCKER_HUB_HOSTS = ("docker.io", "index.docker.io", "registry-1.docker.io", "hub.docker.com")
_ENCODING_HINT = "correct the value, or set secretEncoding: plain"


@dataclass(frozen=True, slots=True)
class DecodedSecret:
    """A plain secret value, hidden in `repr`, and whether the manifest contains it as base64."""

    plain: str = field(repr=False)
    was_encoded: bool


@dataclass(frozen=True, slots=True)
class DecodedConnection:
    """Non-empty fields of a connection as plain text.

    `decoded` lists the fields that were base64 in the manifest. `undecoded` lists secret fields that may be base64 of binary
    data: a client of the API did not name the encoding, and all its secret fields are valid base64. Steps read these values
    as they were sent.
    """

    fields: Mapping[str, str] = field(repr=False)
    decoded: tuple[str, ...] = ()
    undecoded: tuple[str, ...] = ()


def decode_connection(connection: Connection) -> DecodedConnection:
    """Return the fields of a connection under ODAHU's names, with secrets decoded by the rule of `decode_secret`.

    Raises:
        UserError: the manifest's `secretEncoding` is base64, and a field is not valid base64, or `publicKey` is not text.
    """
    spec = connection.spec
    encoded = {**encoded_secrets(spec), "publicKey": spec.public_key}
    secrets = {name: _decode_field(connection, name, value) for name, value in encoded.items()}
    if not is_text(secrets["publicKey"].plain):
        raise UserError(f"connection {connection.id!r}: publicKey is not text", _ENCODING_HINT)
    fields = {
        "type": spec.type,
        "uri": spec.uri,
        "region": spec.region,
        "username": spec.username,
        "role": spec.role,
        "reference": spec.reference,
        "endpoint": spec.endpoint,
        **{name: secret.plain for name, secret in secrets.items()},
    }
    return DecodedConnection(
        {name: value for name, value in fields.items() if value},
        tuple(name for name, secret in secrets.items() if secret.was_encoded),
        _undecoded(spec, secrets) if connection.is_from_api else (),
    )


def _undecoded(spec: ConnectionSpec, secrets: Mapping[str, DecodedSecret]) -> tuple[str, ...]:
    written = {name: value for name, value in encoded_secrets(spec).items() if value}
    if spec.secret_encoding is not None or any(_bytes_of_base64(value) is None for value in written.values()):
        return ()
    return tuple(name for name in written if not secrets[name].was_encoded)


def secret_bytes(value: str) -> bytes:
    """Return the bytes of a plain value."""
    return value.encode("utf-8", "surrogateescape")


def secret_text(value: bytes) -> str:
    """Return the plain value of bytes."""
    return value.decode("utf-8", "surrogateescape")


def is_text(value: str) -> bool:
    """Return whether a plain value is text, without bytes that are not UTF-8."""
    return not any("\ud800" <= character <= "\udfff" for character in value)


def encoded_secrets(spec: ConnectionSpec) -> dict[str, str]:
    """Return the secret fields as the manifest contains them, plain or base64."""
    values = (spec.password, spec.key_id, spec.key_secret)
    return {name: value.get_secret_value() for name, value in zip(SECRET_FIELDS, values, strict=True)}


def docker_config(connection: Connection) -> str:
    """Return the secret content of `.dockerconfigjson`: one registry with the connection's user and password.

    The password is decoded by the rule of `decode_secret`. The registry is the host (and port) of the URI; as in Docker, a
    URI that does not start with a host (`team/image`) refers to Docker Hub.

    Raises:
        UserError: the connection has another type, has no user or password, or its password cannot be decoded.
    """
    spec = connection.spec
    if spec.type == "ecr":
        raise UserError(
            f"connection {connection.id!r} has type ecr, whose passwords expire after 12 hours and cannot be stored",
            "grant the nodes' AWS role pull access (AmazonEC2ContainerRegistryReadOnly), or renew your own Secret with "
            "`aws ecr get-login-password` and list it in the profile's image_pull_secrets",
        )
    if spec.type != "docker":
        raise UserError(
            f"connection {connection.id!r} has type {spec.type}, which cannot pull images",
            "use a connection of type docker",
        )
    password = _decode_field(connection, "password", spec.password.get_secret_value()).plain
    credentials = {"username": spec.username, "password": password}
    missing = " and ".join(name for name, value in credentials.items() if not value.strip())
    if missing:
        raise UserError(
            f"connection {connection.id!r} has no {missing}",
            f"set {missing}; a public registry needs no entry in image_pull_secrets",
        )
    if not is_text(password):
        raise UserError(f"connection {connection.id!r}: password is not text", _ENCODING_HINT)
    auth = base64.b64encode(f"{spec.username}:{password}".encode()).decode()
    config = {"auths": {registry_key(spec.uri): {**credentials, "auth": auth}}}
    return json.dumps(config, ensure_ascii=False, separators=(",", ":"))


def registry_key(uri: str) -> str:
    """Return the key of an image's or repository's registry in a Docker configuration."""
    first_part = uri.strip().rpartition("://")[2].partition("/")[0].rpartition("@")[2]
    is_host = "://" in uri or "." in first_part or ":" in first_part or first_part == "localhost"
    return first_part if is_host and first_part not in _DOCKER_HUB_HOSTS else DOCKER_HUB


def decode_secret(value: str, encoding: Literal["plain", "base64"] | None = None) -> DecodedSecret:
    """Return the plain value of a secret in the given encoding. Without one, detect it by this rule:

    A value that decodes as strict base64 to printable text is encoded; any other value is plain.

    Strict base64 means the alphabet and padding of RFC 4648, ignoring line breaks and spaces, which `base64` and YAML insert
    into long values. Printable text is UTF-8 without control characters except tab and line break. The rule distinguishes a
    plain AWS key, which contains only base64 characters, from an encoded one: the plain key does not decode to text. With the
    encoding base64, the value may be of any bytes.

    Raises:
        ValueError: the encoding is base64, but the value is not.
    """
    if encoding == "plain" or not value:
        return DecodedSecret(value, was_encoded=False)
    decoded = _bytes_of_base64(value)
    if encoding == "base64" and decoded is None:
        raise ValueError("not base64")
    if decoded is None or (encoding is None and not _is_printable(decoded)):
        return DecodedSecret(value, was_encoded=False)
    return DecodedSecret(secret_text(decoded), was_encoded=True)


def _decode_field(connection: Connection, name: str, value: str) -> DecodedSecret:
    try:
        return decode_secret(value, connection.spec.secret_encoding)
    except ValueError as error:
        raise UserError(f"connection {connection.id!r}: {name} is {error}", _ENCODING_HINT) from None


def _bytes_of_base64(value: str) -> bytes | None:
    try:
        return base64.b64decode("".join(value.split()), validate=True)
    except ValueError:
        return None


def _is_printable(data: bytes) -> bool:
    try:
        text = data.decode("utf-8")
    except ValueError:
        return False
    return bool(text) and all(character.isprintable() or character in "\t\r\n" for character in text)
