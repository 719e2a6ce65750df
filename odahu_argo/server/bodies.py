"""Bodies of requests as manifests."""

from __future__ import annotations

import json

from odahu_argo import document
from odahu_argo.errors import UserError
from odahu_argo.manifest.load import Manifests, read_documents

ANSWERED = {"status", "createdAt", "updatedAt"}
"""What an answer has beside a manifest's fields, and a client may send back."""


def as_manifest(body: object, kind: str) -> Manifests:
    """The body as the one manifest of that kind; `kind` may be left out, as ODAHU's clients do.

    Raises:
        UserError: it is none. What is wrong inside it stays with the manifests.
    """
    if not isinstance(body, dict):
        raise UserError(f"the body is no {kind}", hint='send a JSON object with "id" and "spec"')
    if body.get("kind") not in (None, kind):
        raise UserError(f"kind: {str(body['kind'])[:63]!r} is not {kind}")
    fields = {name: value for name, value in body.items() if name not in ANSWERED}
    return read_documents(document.parse(json.dumps({**fields, "kind": kind}), "body"))
