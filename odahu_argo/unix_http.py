"""HTTP over a Unix socket, for `requests`."""

from __future__ import annotations

import socket
from typing import Any

from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool
from urllib3.connection import HTTPConnection
from urllib3.exceptions import NewConnectionError


class UnixSocketAdapter(HTTPAdapter):
    """Sends every request of a session to one Unix socket. The host in the URL becomes the Host header only."""

    def __init__(self, path: str) -> None:
        super().__init__()
        self._pool = _UnixPool(path)

    def get_connection_with_tls_context(self, *arguments: Any, **options: Any) -> _UnixPool:
        """Return the connections to the socket."""
        return self._pool


class _UnixPool(HTTPConnectionPool):
    def __init__(self, path: str) -> None:
        super().__init__("localhost")
        self._path = path

    def _new_conn(self) -> _UnixConnection:
        return _UnixConnection(self._path)


class _UnixConnection(HTTPConnection):
    def __init__(self, path: str) -> None:
        super().__init__("localhost")
        self._path = path

    def _new_conn(self) -> socket.socket:
        connection = socket.socket(socket.AF_UNIX)
        try:
            connection.settimeout(self.timeout if isinstance(self.timeout, float | int) else None)
            connection.connect(self._path)
        except OSError as error:
            connection.close()
            raise NewConnectionError(self, f"cannot connect to {self._path}") from error
        return connection
