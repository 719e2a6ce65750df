"""Conversion of connections to Kubernetes Secrets, and of Secrets to ODAHU's API.

A Secret has one key per field of the connection, with plain values (see `contract`). Secrets named `connection-<id>` that
`kubectl create secret` created, without labels, are connections too.
"""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from collections.abc import Mapping
from typing import Any

from odahu_argo import naming
from odahu_argo.errors import UserError
from odahu_argo.kube.apply import last_change
from odahu_argo.kube.cluster import SECRET, Object
from odahu_argo.manifest.models import Connection
from odahu_argo.manifest.secrets import (
    DOCKER_SECRET_KEY,
    DOCKER_SECRET_TYPE,
    PUBLIC_FIELDS,
    SECRET_FIELDS,
    decode_connection,
    docker_config,
    encoded_secrets,
    is_text,
    secret_bytes,
    secret_text,
)
from odahu_argo.uri import without_credentials

MASK = "*****"
"""Replacement for secret values, as in ODAHU's API."""
_OPAQUE = "Opaque"
_DESCRIPTIVE_FIELDS = ("description", "webUILink", "vital")
_PREFIX = naming.connection_secret("")


def connection_to_secret(connection: Connection) -> Object:
    """Return the Secret of a connection. For type docker it is also an image pull secret.

    Raises:
        UserError: the connection has type ecr, contains masked values, or has a field that cannot be decoded.
    """
    _require_unmasked(connection)
    spec = connection.spec
    fields = connection_fields(connection)
    undecoded = decode_connection(connection).undecoded
    is_pull_secret = spec.type in ("docker", "ecr")
    if is_pull_secret:
        fields[DOCKER_SECRET_KEY] = docker_config(connection)
    return {
        "apiVersion": SECRET.api_version,
        "kind": SECRET.name,
        "metadata": {
            "name": naming.connection_secret(connection.id),
            "labels": {
                naming.MANAGED_BY_LABEL: naming.MANAGED_BY,
                naming.CONNECTION_ID_LABEL: connection.id,
                naming.CONNECTION_TYPE_LABEL: spec.type,
            },
            **({"annotations": {naming.UNDECODED_ANNOTATION: ",".join(undecoded)}} if undecoded else {}),
        },
        "type": DOCKER_SECRET_TYPE if is_pull_secret else _OPAQUE,
        "data": {name: b64encode(secret_bytes(value)).decode() for name, value in fields.items() if value},
    }


def connection_fields(connection: Connection) -> dict[str, str]:
    """Return all fields of a connection with plain values. Fields that are not set can be empty.

    Raises:
        UserError: a field cannot be decoded.
    """
    spec = connection.spec
    descriptive = {
        "description": spec.description,
        "webUILink": spec.web_ui_link,
        "vital": "true" if spec.vital else "",
    }
    return {**decode_connection(connection).fields, **descriptive}


def connection_id(secret: Object) -> str | None:
    """Return the ID of the connection in a Secret, or None if the Secret is not a connection."""
    name = str(secret["metadata"]["name"])
    if not name.startswith(_PREFIX) or secret.get("type", _OPAQUE) not in (_OPAQUE, DOCKER_SECRET_TYPE):
        return None
    identifier = name.removeprefix(_PREFIX)
    return identifier if naming.ID_PATTERN.fullmatch(identifier) else None


def secret_fields(secret: Object) -> dict[str, str]:
    """Return the fields of a Secret as a step reads them: decoded, without trailing line breaks."""
    return {name: value.rstrip("\r\n") for name, value in _decoded(secret).items()}


def _decoded(secret: Object) -> dict[str, str]:
    data = secret.get("data") or {}
    values = {name: b64decode(value or "") for name, value in data.items()}
    return {
        name: secret_text(value) if name in SECRET_FIELDS else value.decode("utf-8", "replace")
        for name, value in values.items()
    }


def connection_to_api(secret: Object, decrypted: bool = False) -> dict[str, Any]:
    """Return the connection in a Secret as in ODAHU's API: kind, id, createdAt, updatedAt, spec and status.

    Secret fields and credentials in the URI are masked unless `decrypted` is set. Decrypted values are plain text, marked by
    `secretEncoding: plain`, and keep their trailing line breaks, so that the result is a manifest of the same Secret. If one
    is not text, all are base64 (`secretEncoding: base64`). `status.unknownKeys` lists keys of the Secret that are not fields
    of a connection, and `status.undecoded` the fields of `DecodedConnection.undecoded`.
    """
    undecoded = (secret["metadata"].get("annotations") or {}).get(naming.UNDECODED_ANNOTATION, "")
    unknown_keys = _unknown_keys(secret)
    exact = {name: value for name, value in _decoded(secret).items() if name in (*SECRET_FIELDS, "publicKey")}
    fields = {**_docker_fields(secret), **secret_fields(secret), **exact}
    return {
        "kind": "Connection",
        "id": connection_id(secret),
        "createdAt": secret["metadata"].get("creationTimestamp", ""),
        "updatedAt": last_change(secret),
        "spec": connection_spec_to_api(fields, decrypted),
        "status": {
            "secretName": secret["metadata"]["name"],
            **({"unknownKeys": unknown_keys} if unknown_keys else {}),
            **({"undecoded": undecoded.split(",")} if undecoded else {}),
        },
    }


def connection_spec_to_api(fields: Mapping[str, str], decrypted: bool) -> dict[str, Any]:
    """Return the `spec` of `connection_to_api` for a connection with these plain fields."""
    spec: dict[str, Any] = {name: fields[name] for name in (*PUBLIC_FIELDS, *_DESCRIPTIVE_FIELDS) if fields.get(name)}
    secrets = {name: fields[name] for name in SECRET_FIELDS if fields.get(name)}
    if "vital" in spec:
        spec["vital"] = spec["vital"] == "true"
    if decrypted:
        spec |= secrets
        if secrets or "publicKey" in spec:
            spec["secretEncoding"] = "plain"
        if not all(map(is_text, secrets.values())):
            encoded = {name: spec[name] for name in (*secrets, "publicKey") if name in spec}
            spec |= {name: b64encode(secret_bytes(value)).decode() for name, value in encoded.items()}
            spec["secretEncoding"] = "base64"
    else:
        spec |= dict.fromkeys(secrets, MASK)
        if "uri" in spec:
            spec["uri"] = without_credentials(spec["uri"])
    return spec


def _require_unmasked(connection: Connection) -> None:
    masked = [name for name, value in encoded_secrets(connection.spec).items() if value == MASK]
    if "***" in connection.spec.uri:
        masked.append("uri")
    if masked:
        raise UserError(
            f"connection {connection.id!r} has masked values: {', '.join(masked)}",
            hint="replace them with the real values; show those on the cluster with odahu-argo conn get --decrypted",
        )


def _unknown_keys(secret: Object) -> list[str]:
    return sorted(
        set(secret.get("data") or {}).difference(PUBLIC_FIELDS, SECRET_FIELDS, _DESCRIPTIVE_FIELDS, [DOCKER_SECRET_KEY])
    )


def _docker_fields(secret: Object) -> dict[str, str]:
    """Return the fields of the first registry in a pull secret, as `kubectl create secret docker-registry` writes it."""
    if secret.get("type") != DOCKER_SECRET_TYPE:
        return {}
    try:
        [(registry, entry), *_] = json.loads(secret_fields(secret)[DOCKER_SECRET_KEY])["auths"].items()
    except (KeyError, ValueError, TypeError, AttributeError):
        return {"type": "docker"}
    entry = entry if isinstance(entry, Mapping) else {}
    return {
        "type": "docker",
        "uri": str(registry),
        "username": str(entry.get("username") or ""),
        "password": str(entry.get("password") or ""),
    }
