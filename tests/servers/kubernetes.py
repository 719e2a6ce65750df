"""Failures of a real Kubernetes API: restarts of the API server, and a proxy that loses responses."""

from __future__ import annotations

import base64
import os
import re
import signal
import socket
import socketserver
import ssl
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml


class ApiServer:
    """The local kube-apiserver process of the kubeconfig's cluster."""

    def __init__(self, kubeconfig: Path):
        self._home = kubeconfig.parent
        self._config = yaml.safe_load(kubeconfig.read_text())
        self._pid = self._find()
        process = Path(f"/proc/{self._pid}")
        self._command = (process / "cmdline").read_bytes().rstrip(b"\0").decode().split("\0")

    def _find(self) -> int:
        for process in Path("/proc").iterdir():
            with suppress(OSError):
                command = (process / "cmdline").read_bytes().split(b"\0") if process.name.isdigit() else []
                if b"kube-apiserver" in command and str(self._home).encode() in b"\0".join(command):
                    return int(process.name)
        missing = "the API server is no process of this machine"
        required = "cluster" in os.environ.get("ODAHU_ARGO_REQUIRE", "")
        (pytest.fail if required else pytest.skip)(missing)

    def kill(self) -> None:
        """Send SIGKILL and wait until the process has exited."""
        os.kill(self._pid, signal.SIGKILL)
        until = time.monotonic() + 30
        while self._is_alive():
            if time.monotonic() > until:
                raise RuntimeError("the API server does not end")
            time.sleep(0.02)

    def _is_alive(self) -> bool:
        with suppress(ChildProcessError):
            os.waitpid(self._pid, os.WNOHANG)
        try:
            return Path(f"/proc/{self._pid}/cmdline").read_bytes() != b""
        except FileNotFoundError:
            return False

    def start(self) -> None:
        """Start the process with its previous command unless it runs, and wait until it is ready."""
        until = time.monotonic() + 120
        while not self._is_ready():
            if not self._is_alive():
                self._spawn()
            if time.monotonic() > until:
                raise RuntimeError("the API server does not come back")
            time.sleep(0.1)

    def _spawn(self) -> None:
        """Start the process. It exits immediately if the previous process still uses the port."""
        with (self._home / "apiserver.log").open("ab") as log:
            outputs = [(os.POSIX_SPAWN_DUP2, log.fileno(), number) for number in (1, 2)]
            self._pid = os.posix_spawn(self._command[0], self._command, os.environ, file_actions=outputs, setsid=True)
        (self._home / "apiserver.pid").write_text(str(self._pid))

    def _is_ready(self) -> bool:
        server = self._config["clusters"][0]["cluster"]["server"]
        try:
            with urllib.request.urlopen(f"{server}/readyz", timeout=2, context=authority(self._config)) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False


def authority(config: dict[str, Any]) -> ssl.SSLContext:
    """Return a TLS context that trusts the kubeconfig's authority."""
    data = config["clusters"][0]["cluster"]["certificate-authority-data"]
    return ssl.create_default_context(cadata=base64.b64decode(data).decode())


class Proxy:
    """A proxy that injects failures. Clients use plain HTTP; the proxy uses TLS to the API.

    `loses` is called with each request line. If it returns true, the API executes the request, the proxy calls
    `carried_out` and closes the connection without a response. `cut` closes all connections and rejects new ones.
    """

    def __init__(self, config: dict[str, Any]):
        self.requests: list[str] = []
        self.loses: Callable[[str], bool] = lambda request: False
        self.carried_out: Callable[[], None] = lambda: None
        self._tls = authority(config)
        self._target = urlsplit(config["clusters"][0]["cluster"]["server"])
        self._is_cut = False
        self._open: set[socket.socket] = set()

    def cut(self) -> None:
        self._is_cut = True
        self.break_off()

    def break_off(self) -> None:
        """Close the open connections."""
        for connection in list(self._open):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def restore(self) -> None:
        self._is_cut = False

    @property
    def is_idle(self) -> bool:
        """Return whether no connection is open."""
        return not self._open

    def serve(self, client: socket.socket) -> None:
        """Forward one request and its response."""
        if self._is_cut:
            return
        self._open.add(client)
        try:
            request = _read_message(client)
            if not request:
                return
            line = request.partition(b"\r\n")[0].decode()
            self.requests.append(line)
            with self._connect() as api:
                api.sendall(re.sub(rb"\r\n\r\n", b"\r\nConnection: close\r\n\r\n", request, count=1))
                if self.loses(line):
                    while api.recv(2**16):
                        pass
                    self.carried_out()
                    return
                self._pass_on(api, client)
        except OSError:
            return
        finally:
            self._open.discard(client)

    def _connect(self) -> ssl.SSLSocket:
        address = (str(self._target.hostname), self._target.port or 443)
        return self._tls.wrap_socket(socket.create_connection(address, 10), server_hostname=address[0])

    def _pass_on(self, api: ssl.SSLSocket, client: socket.socket) -> None:
        """Forward the response until either side closes the connection."""
        api.settimeout(0.2)
        client.setblocking(False)
        while True:
            try:
                data = api.recv(2**16)
            except TimeoutError:
                if _has_gone(client):
                    return
                continue
            if not data:
                return
            client.setblocking(True)
            client.sendall(data)
            client.setblocking(False)


def _has_gone(client: socket.socket) -> bool:
    try:
        return client.recv(1, socket.MSG_PEEK) == b""
    except BlockingIOError:
        return False


def _read_message(client: socket.socket) -> bytes:
    """Read a request's head and, by its Content-Length, its body."""
    message = b""
    while b"\r\n\r\n" not in message:
        data = client.recv(2**16)
        if not data:
            return b""
        message += data
    head, _, body = message.partition(b"\r\n\r\n")
    match = re.search(rb"(?i)content-length: (\d+)", head)
    length = int(match.group(1)) if match else 0
    while len(body) < length:
        body += client.recv(2**16)
    return head + b"\r\n\r\n" + body


@contextmanager
def proxied(kubeconfig: Path, folder: Path) -> Iterator[tuple[Proxy, Path]]:
    """Run a proxy to the kubeconfig's API; yield it with a kubeconfig that uses it."""
    config = yaml.safe_load(kubeconfig.read_text())
    proxy = Proxy(config)

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            proxy.serve(self.request)

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True

    with Server(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        through = {
            **config,
            "clusters": [{"name": "test", "cluster": {"server": f"http://127.0.0.1:{server.server_address[1]}"}}],
        }
        file = folder / "kubeconfig-through-proxy"
        file.write_text(yaml.safe_dump(through))
        try:
            yield proxy, file
        finally:
            proxy.cut()
            server.shutdown()
            thread.join()
