"""Limits of connections that uvicorn does not have: time to send a request, number, and the peer of a Unix socket."""

from __future__ import annotations

import asyncio
import os
import socket
import struct
from time import monotonic

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

REQUEST_SECONDS = 20.0
"""Time in which a client must send a request, headers and body."""
MAX_CONNECTIONS = 500
MAX_HEADER_BYTES = 32 * 1024
"""Size of the request line and all headers. Tokens of OpenID providers have a few thousand bytes."""
_CREDENTIALS = struct.Struct("3i")
"""Linux' `struct ucred`: process, user and group."""


class LimitedProtocol(H11Protocol):
    """Closes a connection that does not complete a request in time, or the oldest of these if there are too many.

    Connections with a response in progress, such as a followed log, are not closed.
    """

    _deadline: asyncio.TimerHandle | None = None
    _waiting_since: float | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Accept or close a new connection."""
        super().connection_made(transport)
        if not _is_same_user(transport.get_extra_info("socket")):
            transport.abort()
            return
        self._await_request()
        if len(self.connections) > MAX_CONNECTIONS:
            self._close_oldest()

    def connection_lost(self, exc: Exception | None) -> None:
        """Release the connection."""
        self._end_waiting()
        super().connection_lost(exc)

    def handle_events(self) -> None:
        """Handle received bytes, and measure time until a request is complete."""
        super().handle_events()
        if self.conn.their_state in (h11.IDLE, h11.SEND_BODY):
            self._await_request()
        else:
            self._end_waiting()

    def _await_request(self) -> None:
        if self._deadline is None:
            self._waiting_since = monotonic()
            self._deadline = self.loop.call_later(REQUEST_SECONDS, self.transport.abort)

    def _end_waiting(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = self._waiting_since = None

    def _close_oldest(self) -> None:
        waiting = {
            connection: connection._waiting_since
            for connection in self.connections
            if isinstance(connection, LimitedProtocol) and connection._waiting_since is not None
        }
        oldest = min(waiting, key=lambda connection: waiting[connection] or 0)
        oldest.connections.discard(oldest)
        oldest.transport.abort()


def _is_same_user(connection: socket.socket) -> bool:
    """Return whether the peer of a Unix socket is this user. On other systems than Linux, its file mode must suffice."""
    if not hasattr(socket, "SO_PEERCRED") or connection.family != socket.AF_UNIX:
        return True
    credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    _, user, _ = _CREDENTIALS.unpack(credentials)
    return bool(user == os.getuid())
