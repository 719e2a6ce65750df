"""Small objects of Google Cloud Storage by plain requests: the SDK takes twice the processor for one."""

from __future__ import annotations

import base64
import re
from contextlib import suppress
from typing import Any

from odahu_argo.storage.plain import Small, look


def small_object(session: Any, url: str) -> bytes | None:
    """The object at this URL as it is stored, by a session that signs, where it is small and has the CRC32C that is told.

    None where the SDK has to ask, which tries again and knows what is wrong.
    """
    from google.auth.exceptions import TransportError

    with suppress(TransportError):
        match look(session, url):
            case Small(content, headers) if _crc32c(headers.get("x-goog-hash", "")) in ("", _digest(content)):
                return content
    return None


def _crc32c(hashes: str) -> str:
    found = re.search(r"crc32c=([\w+/=]+)", hashes)
    return found[1] if found else ""


def _digest(content: bytes) -> str:
    import google_crc32c

    return base64.b64encode(google_crc32c.value(content).to_bytes(4, "big")).decode()
