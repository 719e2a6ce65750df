"""Requests signed for S3 (AWS's documentation: Signature Version 4 in a header).

botocore takes longer to be imported than most downloads take, and libcurl signs only what it sends itself.
"""

from __future__ import annotations

import hmac
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from urllib.parse import SplitResult, urlsplit

from odahu_argo.storage.request import Asked

_OF_NOTHING = sha256().hexdigest()


@dataclass(frozen=True, slots=True)
class Keys:
    """An identity with S3."""

    key_id: str
    secret: str = field(repr=False)
    token: str | None = field(default=None, repr=False)


def signature(keys: Keys, region: str, asked: Asked) -> Mapping[str, str]:
    """The headers that let in a request without a body, whose path and query are quoted, for a quarter of an hour."""
    url = urlsplit(asked.url)
    moment = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    ours = {"host": _host(url), "x-amz-content-sha256": _OF_NOTHING, "x-amz-date": moment}
    if keys.token:
        ours["x-amz-security-token"] = keys.token
    theirs = {name.lower(): value for name, value in asked.headers.items() if name.lower().startswith("x-amz-")}
    signed = sorted({**theirs, **ours}.items())
    names = ";".join(name for name, _ in signed)
    query = "&".join(sorted(url.query.split("&"), key=lambda pair: pair.partition("=")))
    lines = "".join(f"{name}:{value}\n" for name, value in signed)
    request = f"{asked.method}\n{url.path or '/'}\n{query}\n{lines}\n{names}\n{_OF_NOTHING}"

    scope = (moment[:8], region, "s3", "aws4_request")
    key = f"AWS4{keys.secret}".encode()
    for part in scope:
        key = hmac.digest(key, part.encode(), sha256)
    where = "/".join(scope)
    text = f"AWS4-HMAC-SHA256\n{moment}\n{where}\n{sha256(request.encode()).hexdigest()}"
    signed_text = hmac.digest(key, text.encode(), sha256).hex()
    credential = f"{keys.key_id}/{where}"
    authorization = f"AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders={names}, Signature={signed_text}"
    return {**ours, "Authorization": authorization}


def _host(url: SplitResult) -> str:
    """As HTTP names it: without the usual port."""
    name = f"[{url.hostname}]" if ":" in (url.hostname or "") else url.hostname
    is_usual = url.port in (None, {"http": 80, "https": 443}[url.scheme])
    return str(name) if is_usual else f"{name}:{url.port}"
