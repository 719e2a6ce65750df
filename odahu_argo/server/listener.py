"""The socket that the server listens on: a TCP port, or a Unix socket for its own user."""

from __future__ import annotations

import socket
import stat
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from odahu_argo.errors import ServiceFault, UserError

_MODE = 0o600


@dataclass(frozen=True, slots=True)
class Listener:
    """A listening socket, its URL, and the file of a Unix socket."""

    socket: socket.socket
    url: str
    file: Path | None = None

    def close(self) -> None:
        """Close the socket and remove its file."""
        self.socket.close()
        self.remove()

    def remove(self) -> None:
        """Remove the file of a Unix socket. Open connections continue."""
        if self.file:
            with suppress(OSError):
                self.file.unlink()


def listen_on_port(host: str, port: int) -> Listener:
    """Listen on a TCP port; 0 selects a free one. The URL contains the numeric address, which names one interface.

    Raises:
        ServiceFault: The address cannot be used.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.create_server((host, port), family=family)
    except OSError as error:
        raise ServiceFault(f"cannot listen on {host}, port {port}: {error.strerror}") from error
    address, port = listener.getsockname()[:2]
    return Listener(listener, f"http://[{address}]:{port}" if ":" in address else f"http://{address}:{port}")


def listen_on_file(file: Path) -> Listener:
    """Listen on a Unix socket with mode 0600, so that only the same user can connect. Replaces an unused socket.

    Raises:
        UserError: The path is in use by a server or is another kind of file.
        ServiceFault: The socket cannot be created.
    """
    if not hasattr(socket, "AF_UNIX"):
        raise UserError("--unix-socket is not supported on this system", hint="use --port")
    _remove_unused(file)
    listener = socket.socket(socket.AF_UNIX)
    try:
        # Nobody can connect before `listen`, so that the mode that `bind` sets does not matter.
        listener.bind(str(file))
        file.chmod(_MODE)
        listener.listen()
    except OSError as error:
        listener.close()
        raise ServiceFault(
            f"cannot listen on {file}: {error.strerror or error}",
            hint="use a path of at most 100 characters in a directory that you can write to",
        ) from error
    return Listener(listener, f"unix:{file.absolute()}", file.absolute())


def _remove_unused(file: Path) -> None:
    """Remove the socket of a server that was killed."""
    try:
        if not stat.S_ISSOCK(file.lstat().st_mode):
            raise UserError(f"--unix-socket: {file} exists and is not a socket", hint="specify another path")
    except FileNotFoundError:
        return
    except OSError as error:
        raise UserError(f"--unix-socket: {file}: {error.strerror}", hint="specify another path") from error
    with socket.socket(socket.AF_UNIX) as client:
        try:
            client.connect(str(file))
        except OSError:
            with suppress(OSError):
                file.unlink()
            return
    raise UserError(f"--unix-socket: a server is listening on {file}", hint="stop it, or specify another path")
