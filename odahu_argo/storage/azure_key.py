"""Requests signed with an account's key (Azure's documentation: Authorize with Shared Key).

Azure's SDK does that only within its own requests.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping
from urllib.parse import parse_qsl, urlsplit

from odahu_argo.storage.request import Asked

_NONE_OF_OURS = "\n" * 11
"""Content-Encoding, -Language, -Length, -MD5, -Type, Date, If-Modified-Since, If-Match, If-None-Match, If-Unmodified-Since"""


def signature(account: str, key: str, asked: Asked, headers: Mapping[str, str]) -> str:
    """The value of the header `Authorization` for a request without a body, which has these `x-ms-` headers.

    `key` is the account's, in base64.
    """
    url = urlsplit(asked.url)
    named = "".join(f"{name}:{headers[name]}\n" for name in sorted(headers))
    query = "".join(f"\n{name}:{value}" for name, value in sorted(parse_qsl(url.query, keep_blank_values=True)))
    text = f"{asked.method}{_NONE_OF_OURS}{asked.headers.get('Range', '')}\n{named}/{account}{url.path}{query}"
    digest = hmac.digest(base64.b64decode(key), text.encode(), hashlib.sha256)
    return f"SharedKey {account}:{base64.b64encode(digest).decode()}"
