"""Objects by plain requests, where an SDK takes longer around a request than the request does."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

SMALL = 1024 * 1024
_PIECE = 1024 * 1024
_TIMEOUTS = (10, 60)
_AS_IT_IS = {"Accept-Encoding": "gzip"}
"""Else a server may unpack what is stored as gzip."""


@dataclass(frozen=True, slots=True)
class Small:
    """A whole object as it is stored, and the answer's headers."""

    content: bytes
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Large:
    """An object that is better fetched in parts: its size in bytes, and what tells this version of it from others."""

    size: int
    etag: str


def keep_connections(session: Any, number: int) -> None:
    """Let a session of `requests` keep so many connections open to a server."""
    from requests.adapters import HTTPAdapter

    for scheme in ("https://", "http://"):
        session.mount(scheme, HTTPAdapter(pool_maxsize=number))


def look(session: Any, url: str) -> Small | Large | None:
    """The object at this URL, by a session of `requests`; up to 1 MiB comes with it.

    None where the answer is anything but an object: then the SDK has to ask, which tries again and knows what is wrong.
    """
    from requests.exceptions import RequestException
    from urllib3.exceptions import HTTPError

    with suppress(RequestException, HTTPError):
        with session.get(url, headers=_AS_IT_IS, stream=True, timeout=_TIMEOUTS) as answer:
            length = answer.headers.get("Content-Length", "")
            if answer.status_code != 200 or not length.isdecimal():
                return None
            if int(length) > SMALL:
                return Large(int(length), answer.headers.get("ETag", ""))
            content = answer.raw.read(decode_content=False)
        if len(content) == int(length):
            return Small(content, answer.headers)
    return None


def read_part(session: Any, url: str, large: Large, begin: int, end: int, take: Callable[[bytes, int], None]) -> bool:
    """Hand the bytes from `begin` up to `end` to `take`, in pieces, each with its offset; False where not all came."""
    from requests.exceptions import RequestException
    from urllib3.exceptions import HTTPError

    headers = {"Range": f"bytes={begin}-{end - 1}", "If-Match": large.etag, **_AS_IT_IS}
    with (
        suppress(RequestException, HTTPError),
        session.get(url, headers=headers, stream=True, timeout=_TIMEOUTS) as answer,
    ):
        if answer.status_code != 206:
            return False
        while piece := answer.raw.read(min(_PIECE, end - begin), decode_content=False):
            take(piece, begin)
            begin += len(piece)
    return begin == end
