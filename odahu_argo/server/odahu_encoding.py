"""Secret values as ODAHU's API sent and took them: base64."""

from __future__ import annotations

from base64 import b64encode

from odahu_argo.manifest.plain_connection import SECRET_FIELDS
from odahu_argo.server.source import Form
from odahu_argo.submit.secrets import MASK


def as_base64(form: Form) -> Form:
    """The form of a connection with its secret values and `publicKey` in base64; masks stay.

    `secretEncoding` says so where a secret value is there. ODAHU: connection_service.go, EncodeBase64Fields.
    """
    spec = dict(form["spec"])
    encoded = [name for name in (*SECRET_FIELDS, "publicKey") if spec.get(name, MASK) != MASK]
    spec |= {name: b64encode(spec[name].encode()).decode() for name in encoded}
    if "secretEncoding" in spec:
        spec["secretEncoding"] = "base64"
    return {**form, "spec": spec}
