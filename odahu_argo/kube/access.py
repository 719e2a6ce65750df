"""The way into a cluster: its address, whom it is trusted by, and what each request carries to say who asks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from odahu_argo.errors import Forbidden

if TYPE_CHECKING:
    from ssl import SSLContext


class Credentials(Protocol):
    """What says who asks. May be used by several threads at once; no `repr` shows it."""

    def headers(self) -> Mapping[str, str]:
        """What a request carries, renewed where it would expire.

        Raises:
            Forbidden: it cannot be had.
        """

    def renew(self, refused: Mapping[str, str]) -> bool:
        """Whether there are others now than these, which the cluster has refused (401).

        Raises:
            Forbidden: they cannot be had.
        """


@dataclass(frozen=True, slots=True)
class Access:
    """`namespace` is the one that context or pod works in; `origin` says where all this was found.

    `trust` is None where the server speaks plain HTTP; a client certificate is in it. `server_name` is the name in the
    server's certificate where it is not that of the address. `proxy` is the kubeconfig's own; it wins over the environment's.
    `impersonation` are headers that say as whom to ask.
    """

    server: str
    namespace: str
    origin: str
    credentials: Credentials
    trust: SSLContext | None = None
    server_name: str = ""
    proxy: str = ""
    impersonation: tuple[tuple[str, str], ...] = ()

    def headers(self) -> Mapping[str, str]:
        """See `Credentials.headers`."""
        headers = self.credentials.headers()
        if not all(value.isascii() and value.isprintable() for value in headers.values()):
            raise Forbidden(f"the token of {self.origin} holds characters that no token has", hint="log in again")
        return headers


def bearer(token: str) -> dict[str, str]:
    """The header for a token; none for an empty one."""
    return {"Authorization": f"Bearer {token.strip()}"} if token.strip() else {}


@dataclass(frozen=True, slots=True)
class Fixed:
    """Credentials that stay as they are; nobody's, where there is no header."""

    header: Mapping[str, str] = field(default_factory=dict, repr=False)

    def headers(self) -> Mapping[str, str]:
        """See `Credentials`."""
        return self.header

    def renew(self, refused: Mapping[str, str]) -> bool:
        """See `Credentials`."""
        return False
