"""Tokens of an OpenID provider by OAuth's client credentials grant, as ODAHU's service accounts get them.

Source: RFC 6749, section 4.4; OpenID Connect Discovery 1.0. ODAHU's API accepts the ID token.
"""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlsplit

import requests

from odahu_argo.errors import ServiceFault, UserError
from odahu_argo.http import BodyTooLarge, HttpSession, describe_failure, read_body

SCOPE = "openid profile offline_access groups"
"""Scope that ODAHU's clients request (odahu-flow 1.6, packages/sdk/odahuflow/sdk/clients/oauth_handler.py)."""


def request_token(issuer: str, client_id: str, client_secret: str) -> str:
    """Return the ID token, or else the access token, of a client. No error contains the secret.

    Raises:
        UserError: the issuer has no valid configuration, or rejects the client.
        ServiceFault: the issuer does not answer.
    """
    configuration = _send(issuer, "GET", f"{issuer.rstrip('/')}/.well-known/openid-configuration")
    endpoint = str(configuration.get("token_endpoint") or "")
    if urlsplit(endpoint).scheme not in ("https", urlsplit(issuer).scheme) or not urlsplit(endpoint).hostname:
        raise UserError(f"{issuer} has no token endpoint", hint="check issuer_url")
    form = {"grant_type": "client_credentials", "client_id": client_id, "client_secret": client_secret, "scope": SCOPE}
    tokens = _send(issuer, "POST", endpoint, data=form)
    token = tokens.get("id_token") or tokens.get("access_token")
    if not isinstance(token, str) or not token:
        raise UserError(
            f"{issuer} returned no token", hint="check that the client may use the client credentials grant"
        )
    return token


def _send(issuer: str, method: str, url: str, **options: Any) -> dict[str, Any]:
    try:
        response = HttpSession(url).request(method, url, **options)
        status, body = response.status_code, read_body(response)
    except (requests.RequestException, BodyTooLarge, OSError) as error:
        raise ServiceFault(f"no response from {issuer}: {describe_failure(error)}") from error
    if status >= 500 or status == 429:
        raise ServiceFault(f"{issuer} returned status {status}", hint="try again later")
    try:
        content = json.loads(body) if status == 200 else None
    except (ValueError, RecursionError):
        content = None
    if not isinstance(content, dict):
        raise UserError(f"{issuer} rejected the request with status {status}", hint="check issuer_url and the client")
    return content
