"""A connection's fields as steps read them: by ODAHU's names, plain, one text for each."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from odahu_argo.errors import UserError
from odahu_argo.manifest.models import Connection, ConnectionSpec


@dataclass(frozen=True, slots=True)
class SecretText:
    """The plain value, kept out of `repr`, and whether the manifest held it as base64."""

    plain: str = field(repr=False)
    was_encoded: bool


def read_secret(written: str, encoding: Literal["plain", "base64"] | None = None) -> SecretText:
    """The value as `encoding` says it was written; where that says nothing, by this rule.

    A value that decodes strictly as base64 to printable text was encoded; any other is plain.

    Strictly means the alphabet and padding of RFC 4648; line breaks and spaces, which `base64` and YAML put into long values,
    do not count. Printable text is UTF-8 without control characters other than tab and line break. That tells an AWS key,
    which has only letters of base64's alphabet, from an encoded one: it decodes to bytes that are no text.

    Raises:
        ValueError: it must be base64 and is not, or it is and holds no text.
    """
    if encoding == "plain" or not written:
        return SecretText(written, was_encoded=False)
    decoded = _decoded("".join(written.split()))
    if encoding == "base64" and decoded is None:
        raise ValueError("is not the base64 of any text")
    return SecretText(written, was_encoded=False) if decoded is None else SecretText(decoded, was_encoded=True)


def _decoded(packed: str) -> str | None:
    try:
        text = base64.b64decode(packed, validate=True).decode("utf-8")
    except (binascii.Error, ValueError):
        return None
    return text if text and all(character.isprintable() or character in "\t\r\n" for character in text) else None


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


SECRET_TYPE = "kubernetes.io/dockerconfigjson"
SECRET_KEY = ".dockerconfigjson"
DOCKER_HUB = "https://index.docker.io/v1/"
"""Docker Hub's name in such a file, under which the kubelet looks for it."""
_DOCKER_HUB_HOSTS = ("docker.io", "index.docker.io", "registry-1.docker.io", "hub.docker.com")


def docker_config(connection: Connection) -> str:
    """The text for the Secret's key `.dockerconfigjson`: one registry, with the connection's user and password. It is secret.

    The password is plain or base64 by the rule of `secret_text`. The registry is the host (and port) of the URI, for all
    images on it; as with docker, a URI that begins with no host (`team/image`) is on Docker Hub.

    Raises:
        UserError: the connection is of another type, or has no user or password, or one that cannot be read.
    """
    spec = connection.spec
    if spec.type == "ecr":
        raise UserError(
            f"connection {connection.id!r} is of type ecr: its passwords last 12 hours, so no Secret can hold one for long",
            "let the nodes' AWS role pull (AmazonEC2ContainerRegistryReadOnly); or renew a Secret of your own from "
            "`aws ecr get-login-password`, and name it in the profile's image_pull_secrets",
        )
    if spec.type != "docker":
        raise UserError(
            f"connection {connection.id!r} is of type {spec.type}, which gives no images",
            "images are pulled with a connection of type docker",
        )
    password = _password(connection)
    missing = " and ".join(
        name for name, value in (("username", spec.username), ("password", password)) if not value.strip()
    )
    if missing:
        raise UserError(
            f"connection {connection.id!r} has no {missing}, without which nothing can be pulled by it",
            "fill it in; a registry that asks for no password needs no entry in image_pull_secrets",
        )
    together = base64.b64encode(f"{spec.username}:{password}".encode()).decode()
    entry = {"username": spec.username, "password": password, "auth": together}
    return json.dumps({"auths": {registry(spec.uri): entry}}, ensure_ascii=False, separators=(",", ":"))


def registry(uri: str) -> str:
    """The registry of an image's or a repository's address, as a file of credentials names it."""
    first = uri.strip().rpartition("://")[2].partition("/")[0].rpartition("@")[2]
    is_host = "://" in uri or "." in first or ":" in first or first == "localhost"
    return first if is_host and first not in _DOCKER_HUB_HOSTS else DOCKER_HUB


def _password(connection: Connection) -> str:
    try:
        return read_secret(connection.spec.password.get_secret_value(), connection.spec.secret_encoding).plain
    except ValueError as error:
        raise UserError(
            f"connection {connection.id!r}: its field password {error}", "correct it, or set secretEncoding: plain"
        ) from None
