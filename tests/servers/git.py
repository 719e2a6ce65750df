"""Git repositories to clone from: on disk, over https with a password, over ssh with a key."""

from __future__ import annotations

import base64
import getpass
import os
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import psutil
import pytest
import trustme

from tests.servers.programs import free_port, require_program, stop, wait_until_open

USERNAME, PASSWORD = "ada@example.org", "p:ss/w@rd%40 '$(x)"
TOKEN = "ghp_tokenOfNobody"
_AUTHOR = ("-c", "user.name=Ada", "-c", "user.email=ada@example.org", "-c", "protocol.file.allow=always")


def git(folder: Path, *arguments: str) -> str:
    """Run git as the author of the test's repositories."""
    command = ["git", "-C", str(folder), *_AUTHOR, *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


@dataclass(frozen=True)
class Origin:
    """A repository with a branch `develop` ahead of `main`, tags on the first commit, and a pull request."""

    folder: Path
    first: str
    main: str
    develop: str
    pull: str
    forgotten: str
    """A commit in the history of `develop` that no reference points to."""


def commit(folder: Path, text: str, file: str = "file.txt") -> str:
    (folder / file).write_text(text)
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", text)
    return git(folder, "rev-parse", "HEAD")


@pytest.fixture(scope="session")
def origin(tmp_path_factory: pytest.TempPathFactory) -> Origin:
    folder = tmp_path_factory.mktemp("git") / "origin"
    folder.mkdir()
    git(folder, "init", "--quiet", "--initial-branch=main")
    first = commit(folder, "first")
    git(folder, "tag", "v1-light")
    git(folder, "tag", "--annotate", "--message", "one", "v1")
    main = commit(folder, "main")
    git(folder, "checkout", "--quiet", "-b", "feature/wine-2")
    git(folder, "checkout", "--quiet", "-b", "develop")
    forgotten = commit(folder, "forgotten")
    develop = commit(folder, "develop")
    git(folder, "checkout", "--quiet", "--detach", "main")
    pull = commit(folder, "pull request")
    git(folder, "update-ref", "refs/pull/7/head", pull)
    git(folder, "checkout", "--quiet", "main")
    return Origin(folder, first, main, develop, pull, forgotten)


@dataclass(frozen=True)
class HttpsRemote:
    uri: str
    authority: Path
    """The certificate of the server's authority, for GIT_SSL_CAINFO."""
    process_list: list[str]
    """Command lines of all local processes at the time of each request."""
    requests: list[str]
    """Requests and whether they have credentials, like `GET /path with`."""


class _GitOverHttp(BaseHTTPRequestHandler):
    """Runs `git http-backend` for requests with the user's password or, for any user name, the token."""

    protocol_version = "HTTP/1.1"
    root: Path
    process_list: list[str]
    requests: list[str]

    def do_GET(self) -> None:
        self._answer(b"")

    def do_POST(self) -> None:
        self._answer(self.rfile.read(int(self.headers.get("Content-Length") or 0)))

    def log_message(self, format: str, *arguments: object) -> None:
        pass

    def _answer(self, body: bytes) -> None:
        self.process_list += command_lines()
        self.requests.append(f"{self.command} {self.path} {'with' if 'Authorization' in self.headers else 'without'}")
        given = base64.b64decode((self.headers.get("Authorization") or "").removeprefix("Basic ")).decode()
        if self.path.startswith("/down/"):
            self.send_error(503)
        elif given != f"{USERNAME}:{PASSWORD}" and given.partition(":")[2] != TOKEN:
            self.send_response(401)
            self.send_header("WWW-Authenticate", 'Basic realm="git"')
            self.send_header("Content-Length", "0")
            self.end_headers()
        else:
            self._run_backend(body)

    def _run_backend(self, body: bytes) -> None:
        path, _, query = self.path.partition("?")
        environment = {
            "PATH": os.environ["PATH"],
            "GIT_PROJECT_ROOT": str(self.root),
            "GIT_HTTP_EXPORT_ALL": "1",
            "GIT_CONFIG_COUNT": "1",
            "GIT_CONFIG_KEY_0": "safe.directory",
            "GIT_CONFIG_VALUE_0": "*",
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "REQUEST_METHOD": self.command,
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "CONTENT_LENGTH": str(len(body)),
            "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
            "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
            "REMOTE_USER": "ada",
        }
        done = subprocess.run(["git", "http-backend"], input=body, env=environment, capture_output=True, check=False)
        head, _, content = done.stdout.partition(b"\r\n\r\n")
        headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n"))
        self.send_response(int(headers.pop("Status", "200").split()[0]))
        for name, value in {**headers, "Content-Length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)


def command_lines() -> list[str]:
    processes = psutil.process_iter(["cmdline"])
    return [" ".join(process.info["cmdline"] or []) for process in processes]


@contextmanager
def plain_http(root: Path, address: str = "127.0.0.1") -> Iterator[str]:
    """Serve the repositories below `root` over password-protected HTTP, and yield the URL of the root."""
    require_program("git-http-backend")
    handler = type("Handler", (_GitOverHttp,), {"root": root, "process_list": [], "requests": []})
    with ThreadingHTTPServer((address, 0), handler) as server:
        serving = threading.Thread(target=server.serve_forever)
        serving.start()
        try:
            yield f"http://{address}:{server.server_port}"
        finally:
            server.shutdown()
            serving.join()


@pytest.fixture(scope="session")
def https_remote(origin: Origin, tmp_path_factory: pytest.TempPathFactory) -> Iterator[HttpsRemote]:
    """The origin over HTTPS on the loopback."""
    require_program("git-http-backend")
    authority = trustme.CA()
    file = tmp_path_factory.mktemp("tls") / "authority.pem"
    authority.cert_pem.write_to_path(str(file))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    seen: list[str] = []
    requests: list[str] = []
    of_server = {"root": origin.folder.parent, "process_list": seen, "requests": requests}
    handler = type("Handler", (_GitOverHttp,), of_server)
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        serving = threading.Thread(target=server.serve_forever)
        serving.start()
        yield HttpsRemote(f"https://localhost:{server.server_port}/origin/.git", file, seen, requests)
        server.shutdown()
        serving.join()


@dataclass(frozen=True)
class SshRemote:
    uri: str
    private_key: str
    host_key: str
    """The server's public key without its host name: `ssh-ed25519 AAAA…`."""
    log: Path

    @property
    def refusals(self) -> int:
        """Return the number of connections that ended because no key was accepted."""
        return self.log.read_text().count(" by authenticating user ")


@pytest.fixture(scope="session")
def ssh_remote(origin: Origin, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SshRemote]:
    """The origin over SSH, served by a real sshd on the loopback that accepts one key."""
    sshd, keygen = require_program("sshd"), require_program("ssh-keygen")
    folder = tmp_path_factory.mktemp("ssh")
    for name in ("host", "user"):
        command = [keygen, "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", str(folder / name)]
        subprocess.run(command, check=True)
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)
    port = free_port()
    settings = {
        "Port": port,
        "ListenAddress": "127.0.0.1",
        "HostKey": folder / "host",
        "AuthorizedKeysFile": folder / "user.pub",
        "PidFile": "none",
        "StrictModes": "no",
        "UsePAM": "no",
        "PasswordAuthentication": "no",
        "PermitRootLogin": "prohibit-password",
    }
    (folder / "config").write_text("".join(f"{name} {value}\n" for name, value in settings.items()))
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen([sshd, "-D", "-e", "-f", str(folder / "config")], stderr=log)
        try:
            wait_until_open(port, server)
            host_key = (folder / "host.pub").read_text().strip()
            uri = f"ssh://{getpass.getuser()}@127.0.0.1:{port}{origin.folder}"
            yield SshRemote(uri, (folder / "user").read_text(), host_key, folder / "log")
        finally:
            stop(server)
