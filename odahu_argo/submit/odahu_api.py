"""What ODAHU's API and those who ask it agree on: where it is, how long its pages are, secret values in base64."""

from __future__ import annotations

from base64 import b64decode, b64encode
from typing import Any

from odahu_argo.manifest.plain_connection import SECRET_FIELDS
from odahu_argo.submit.secrets import MASK

PREFIX = "/api/v1"
PAGE = 500
"""The longest page; ODAHU's MaxSize."""
CHANGED = "Odahu-Argo-Changed"
"""The header by which an answer to PUT says `true` or `false`; ours."""
_ENCODED = (*SECRET_FIELDS, "publicKey")


def as_base64(form: dict[str, Any]) -> dict[str, Any]:
    """The form of a connection with its secret values and `publicKey` in base64; masks stay.

    `secretEncoding` says so where a secret value is there. ODAHU: connection_service.go, EncodeBase64Fields.
    """
    spec = dict(form["spec"])
    encoded = [name for name in _ENCODED if spec.get(name, MASK) != MASK]
    spec |= {name: b64encode(spec[name].encode()).decode() for name in encoded}
    if "secretEncoding" in spec:
        spec["secretEncoding"] = "base64"
    return {**form, "spec": spec}


def as_plain(form: dict[str, Any]) -> dict[str, Any]:
    """The form of a connection that `as_base64` has given, as it was before. What is no base64 stays as it is."""
    spec = dict(form["spec"])
    spec |= {name: _decoded(spec[name]) for name in _ENCODED if isinstance(spec.get(name), str) and spec[name] != MASK}
    if "secretEncoding" in spec:
        spec["secretEncoding"] = "plain"
    return {**form, "spec": spec}


def _decoded(value: str) -> str:
    try:
        return b64decode(value, validate=True).decode()
    except ValueError:
        return value
