"""What an API server's refusals and silences mean, as the errors that a cluster's would be."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urljoin

from odahu_argo.errors import OdahuArgoError, Problem, UserError, Where
from odahu_argo.submit.answers import is_tls_fault, why_silent
from odahu_argo.submit.cluster import AlreadyExists, Conflict, Denied, NotFound, NotLoggedIn, Refused, Unreachable
from odahu_argo.uri import without_credentials

ADDRESS_HINT = "check --url, API_URL of odahu-argo config, or ODAHU_ARGO_API_URL"
TOKEN_HINT = "--token-file FILE, ODAHU_ARGO_API_TOKEN, or odahu-argo config set API_TOKEN - gives the server's token"
_NO_ROUTE = "Not Found"
"""Starlette's words for a path that nothing answers on."""


def from_answer(
    doing: str, method: str, server: str, status: int, headers: Mapping[str, str], body: bytes
) -> OdahuArgoError:
    """The error that an answer tells: what the server says, problem by problem."""
    if 300 <= status < 400:
        place = without_credentials(urljoin(server, headers.get("Location", "")))
        return UserError(
            f"cannot {doing}: {server} sends requests on to {place}; the token is not taken there",
            hint="give the API server's own address by --url",
        )
    told = _problems(body)
    if status == 401:
        said = "; ".join(each.message for each in told) or "who are you?"
        return NotLoggedIn(f"cannot {doing}: {server} does not let us in: {said}", hint=TOKEN_HINT)
    if not told or (status == 404 and told[0].message == _NO_ROUTE):
        if status >= 500 or status == 429:
            return Unreachable(f"cannot {doing}: {server} answers with {status}", hint="try again later")
        return UserError(f"cannot {doing}: {server} is no ODAHU API: it answers with {status}", hint=ADDRESS_HINT)
    if status == 409:
        return AlreadyExists(told) if method == "POST" else Conflict(told)
    if status >= 500 or status == 429:
        return Unreachable(told)
    return {403: Denied, 404: NotFound}.get(status, Refused)(told)


def no_api(doing: str, server: str, content_type: str) -> UserError:
    """The error for a success in another tongue, as of a login page."""
    said = f"{content_type.partition(';')[0]} instead of JSON" if content_type else "something that is no JSON"
    return UserError(f"cannot {doing}: {server} is no ODAHU API: it answers with {said}", hint=ADDRESS_HINT)


def from_silence(doing: str, server: str, error: BaseException) -> Unreachable:
    """The error for no answer at all, or one that broke off."""
    if is_tls_fault(error):
        return Unreachable(
            f"cannot {doing}: the certificate of {server} is not trusted, or it does not speak TLS",
            hint="SSL_CERT_FILE names a file with the certificates of the authorities to trust",
        )
    return Unreachable(f"cannot {doing}: no answer from {server}: {why_silent(error)}", hint=ADDRESS_HINT)


def _problems(body: bytes) -> list[Problem]:
    """What is wrong one by one where the server tells it so, else in its one text; none where the body is not ODAHU's."""
    try:
        told: Any = json.loads(body)
    except (ValueError, RecursionError):
        return []
    if not isinstance(told, dict) or not isinstance(told.get("message"), str):
        return []
    parts = told.get("problems")
    found = [_problem(each) for each in parts if isinstance(each, dict)] if isinstance(parts, list) else []
    return found or [Problem(told["message"])]


def _problem(told: Mapping[str, Any]) -> Problem:
    field, hint = told.get("field"), told.get("hint")
    return Problem(
        str(told.get("message", "")),
        Where(field=field if isinstance(field, str) else None),
        hint if isinstance(hint, str) else None,
    )
