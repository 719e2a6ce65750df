"""The address of an API server, as a user gives it."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from urllib.parse import urlsplit

from odahu_argo.errors import UserError
from odahu_argo.uri import without_credentials

HINT = "an address such as https://odahu.example.org"


@dataclass(frozen=True, slots=True)
class Address:
    """Where an API server answers; as text without a slash at the end."""

    scheme: str
    host: str
    text: str

    def __str__(self) -> str:
        return self.text

    @property
    def is_loopback(self) -> bool:
        """Whether it is on this machine."""
        try:
            return self.host == "localhost" or ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False

    @property
    def is_open_to_listeners(self) -> bool:
        """Whether others on the way can read what is sent."""
        return self.scheme == "http" and not self.is_loopback


def read_address(given: str) -> Address:
    """The address.

    Raises:
        UserError: it is none of an API server, or holds a password.
    """
    shown = without_credentials(given)
    try:
        parts = urlsplit(given.strip())
        host, _ = parts.hostname or "", parts.port
    except ValueError as error:
        raise UserError(f"{shown!r} is no address of an API server", hint=HINT) from error
    if parts.scheme not in ("http", "https") or not host or parts.query or parts.fragment or not given.isprintable():
        raise UserError(f"{shown!r} is no address of an API server", hint=HINT)
    if parts.username is not None:
        raise UserError(
            f"{shown!r} holds a user name or password",
            hint="the token is given by --token-file or ODAHU_ARGO_API_TOKEN",
        )
    return Address(parts.scheme, host, f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/')}")
