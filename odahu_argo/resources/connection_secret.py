"""A connection as the Kubernetes Secret that pods mount, and back again.

A Secret has one key for each field of the connection, with plain values (see `contract`). Those that `kubectl create secret`
makes, called `connection-<id>` and without labels, are read as well.
"""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from collections.abc import Mapping
from typing import Any

from odahu_argo import naming
from odahu_argo.errors import UserError
from odahu_argo.kube.apply import changed
from odahu_argo.kube.cluster import SECRET, Object
from odahu_argo.manifest.models import Connection
from odahu_argo.manifest.secrets import (
    OPEN_FIELDS,
    SECRET_FIELDS,
    SECRET_KEY,
    SECRET_TYPE,
    docker_config,
    plain_connection,
    secrets_as_written,
)
from odahu_argo.uri import without_credentials

MASK = "*****"
"""In the place of a secret value, as ODAHU's API wrote it."""
OPAQUE = "Opaque"
FOR_PEOPLE = ("description", "webUILink", "vital")
_PREFIX = naming.connection_secret("")


def connection_to_secret(connection: Connection) -> Object:
    """The Secret of a connection. One of type docker has the key besides that Kubernetes pulls images by.

    Raises:
        UserError: the connection is of type ecr, holds masked values, or has a field that cannot be read.
    """
    _require_unmasked(connection)
    spec = connection.spec
    fields = connection_fields(connection)
    pulls_images = spec.type in ("docker", "ecr")
    if pulls_images:
        fields[SECRET_KEY] = docker_config(connection)
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
        },
        "type": SECRET_TYPE if pulls_images else OPAQUE,
        "data": {name: b64encode(value.encode()).decode() for name, value in fields.items() if value},
    }


def connection_fields(connection: Connection) -> dict[str, str]:
    """All fields of a connection, plain, those for people included; one that is not given may be empty.

    Raises:
        UserError: a field cannot be read.
    """
    spec = connection.spec
    for_people = {
        "description": spec.description,
        "webUILink": spec.web_ui_link,
        "vital": "true" if spec.vital else "",
    }
    return {**plain_connection(connection).fields, **for_people}


def connection_id(secret: Object) -> str | None:
    """The connection that a Secret holds; None where it holds none."""
    name = str(secret["metadata"]["name"])
    is_ours = name.startswith(_PREFIX) and secret.get("type", OPAQUE) in (OPAQUE, SECRET_TYPE)
    found = name.removeprefix(_PREFIX)
    return found if is_ours and naming.ID_PATTERN.fullmatch(found) else None


def fields_of(secret: Object) -> dict[str, str]:
    """The fields that a Secret holds, as a step reads them: text, without the line break that tools leave at the end."""
    data = secret.get("data") or {}
    return {name: b64decode(value or "").decode("utf-8", "replace").rstrip("\r\n") for name, value in data.items()}


def connection_form(secret: Object, decrypted: bool = False) -> dict[str, Any]:
    """The connection that a Secret holds, in the form of ODAHU's API: kind, id, createdAt, updatedAt, spec and status.

    Secret fields, and credentials in the URI, are masked unless `decrypted`. They are plain then, and where one could be
    taken for base64 the spec says `secretEncoding: plain`, so that the form is a manifest which gives the same Secret again.
    The status names keys of the Secret that are no field of a connection.
    """
    unknown = _unknown_keys(secret)
    return {
        "kind": "Connection",
        "id": connection_id(secret),
        "createdAt": secret["metadata"].get("creationTimestamp", ""),
        "updatedAt": changed(secret),
        "spec": spec_form({**_of_docker(secret), **fields_of(secret)}, decrypted),
        "status": {"secretName": secret["metadata"]["name"], **({"unknownKeys": unknown} if unknown else {})},
    }


def spec_form(fields: Mapping[str, str], decrypted: bool) -> dict[str, Any]:
    """The spec of a connection with these plain fields, as `connection_form` has it."""
    spec: dict[str, Any] = {name: fields[name] for name in (*OPEN_FIELDS, *FOR_PEOPLE) if fields.get(name)}
    secrets = {name: fields[name] for name in SECRET_FIELDS if fields.get(name)}
    if "vital" in spec:
        spec["vital"] = spec["vital"] == "true"
    if decrypted:
        spec |= secrets
        if secrets or "publicKey" in spec:
            spec["secretEncoding"] = "plain"
    else:
        spec |= dict.fromkeys(secrets, MASK)
        if "uri" in spec:
            spec["uri"] = without_credentials(spec["uri"])
    return spec


def _unknown_keys(secret: Object) -> list[str]:
    known = {*OPEN_FIELDS, *SECRET_FIELDS, *FOR_PEOPLE, SECRET_KEY}
    return sorted(set(secret.get("data") or {}) - known)


def _require_unmasked(connection: Connection) -> None:
    masked = [name for name, value in secrets_as_written(connection.spec).items() if value == MASK]
    if "***" in connection.spec.uri:
        masked.append("uri")
    if masked:
        raise UserError(
            f"connection {connection.id!r} has masked values: {', '.join(masked)}",
            hint="put the real ones in their place; `odahu-argo conn get --decrypted` shows what is on the cluster",
        )


def _of_docker(secret: Object) -> dict[str, str]:
    """The fields that `kubectl create secret docker-registry` has put into one: of its first registry."""
    if secret.get("type") != SECRET_TYPE:
        return {}
    try:
        [(registry, entry), *_] = json.loads(fields_of(secret)[SECRET_KEY])["auths"].items()
    except (KeyError, ValueError, TypeError, AttributeError):
        return {"type": "docker"}
    entry = entry if isinstance(entry, Mapping) else {}
    return {
        "type": "docker",
        "uri": str(registry),
        "username": str(entry.get("username") or ""),
        "password": str(entry.get("password") or ""),
    }
