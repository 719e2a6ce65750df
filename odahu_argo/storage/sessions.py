"""Sessions of `requests` for the clouds' libraries."""

from __future__ import annotations

from typing import Any


def keep_connections(session: Any, number: int) -> Any:
    """Let the session keep so many connections open to a server, and give it back."""
    from requests.adapters import HTTPAdapter

    for scheme in ("https://", "http://"):
        session.mount(scheme, HTTPAdapter(pool_maxsize=number))
    return session
