"""A line to a server that can be cut: for the client it is the same as a server that is killed, and maybe restarted."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from tests.servers.programs import free_port


class Line:
    """Carries bytes between a port of its own and the server's, in both directions."""

    def __init__(self, server_port: int) -> None:
        self.port = free_port()
        self.cuts = 0
        self._server_port = server_port
        self._left: int | None = None
        self._pause = 0.0
        self._lock = threading.Lock()
        self._ends: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self._closing = threading.Event()
        self._back = threading.Event()
        self._listen()

    def cut_after(self, size: int, pause: float = 0.2, forever: bool = False) -> None:
        """Break every connection when so many more bytes were carried, and take new ones after a pause in seconds."""
        self._left, self._pause = size, 1e6 if forever else pause

    def close(self) -> None:
        self._closing.set()
        self._break()
        for thread in self._threads:
            thread.join()

    def _listen(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", self.port))
        self._start(self._accept, self._listener)

    def _start(self, work: object, *arguments: object) -> None:
        thread = threading.Thread(target=work, args=arguments)  # type: ignore[arg-type]
        self._threads.append(thread)
        thread.start()

    def _accept(self, listener: socket.socket) -> None:
        with suppress(OSError):
            while True:
                client, _ = listener.accept()
                server = socket.create_connection(("127.0.0.1", self._server_port))
                self._ends += [client, server]
                self._start(self._carry, client, server)
                self._start(self._carry, server, client)

    def _carry(self, source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                target.sendall(data)
                self._count(len(data))
        for end in (source, target):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def _count(self, carried: int) -> None:
        with self._lock:
            if self._left is None:
                return
            self._left -= carried
            if self._left > 0:
                return
            self._left = None
            self.cuts += 1
            self._break()
        self._start(self._come_back)

    def _come_back(self) -> None:
        if not self._closing.wait(self._pause):
            self._listen()

    def _break(self) -> None:
        for end in (self._listener, *self._ends):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()
        self._ends.clear()


@contextmanager
def line_to(endpoint: str) -> Iterator[tuple[Line, str]]:
    """The line, and the endpoint by which the server is reached through it."""
    port = endpoint.split(":")[2].partition("/")[0]
    line = Line(int(port))
    try:
        yield line, endpoint.replace(f":{port}", f":{line.port}")
    finally:
        line.close()
