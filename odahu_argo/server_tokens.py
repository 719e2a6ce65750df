"""Tokens of running servers, in files that only their user can read.

A server without configured authentication generates a token and saves it here while it runs. Commands of the same user find
it by the server's URL.
"""

from __future__ import annotations

import os
import platform
from contextlib import suppress
from pathlib import Path
from tempfile import mkstemp
from urllib.parse import quote

from odahu_argo.errors import ServiceFault


def save_token(url: str, token: str) -> Path:
    """Save the token of the server at this URL with mode 0600, and return the file.

    Raises:
        ServiceFault: The file cannot be written.
    """
    file = _token_file(url)
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor, partial = mkstemp(dir=file.parent)
        with open(descriptor, "w", encoding="ascii") as stream:  # noqa: PTH123
            stream.write(token)
        Path(partial).replace(file)
    except OSError as error:
        raise ServiceFault(
            f"the token of the server cannot be saved in {file.parent}: {error.strerror}",
            hint="set XDG_STATE_HOME to a directory that you can write to, or set --token-file",
        ) from error
    return file


def find_token(url: str) -> str | None:
    """Return the token that this user's server at this URL saved, or None. `localhost` finds nothing: it is ambiguous."""
    try:
        return _token_file(url).read_text(encoding="ascii") or None
    except (OSError, UnicodeDecodeError):
        return None


def remove_token(file: Path) -> None:
    """Remove a saved token when its server stops."""
    with suppress(OSError):
        file.unlink()


def _token_file(url: str) -> Path:
    """Return the file for a URL. Its name contains the host name, because machines may share a home directory."""
    state = os.environ.get("XDG_STATE_HOME", "")
    root = Path(state) if os.path.isabs(state) else Path.home() / ".local" / "state"  # noqa: PTH117
    return root / "odahu-argo" / "servers" / quote(f"{platform.node()} {url.rstrip('/')}", safe="")
