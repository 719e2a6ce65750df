"""A token in a file, which somebody else keeps up to date: a kubeconfig's `tokenFile`, or the one that a pod is given."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from odahu_argo.errors import Forbidden
from odahu_argo.kube.access import bearer


@dataclass(frozen=True, slots=True)
class TokenFile:
    """Read anew for each request."""

    path: Path
    origin: str

    def headers(self) -> Mapping[str, str]:
        """See `Credentials`."""
        try:
            return bearer(self.path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError) as error:
            raise Forbidden(
                f"the token of {self.origin} cannot be read: {self.path} ({type(error).__name__})", hint="log in again"
            ) from None

    def renew(self, refused: Mapping[str, str]) -> bool:
        """See `Credentials`."""
        return self.headers() != refused
