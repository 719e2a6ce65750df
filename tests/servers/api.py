"""`odahu-argo server` as a process."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import requests


class ApiClient(requests.Session):
    """A session that prefixes paths with the URL of a server, sends its token, and follows redirects of `get` only."""

    def __init__(self, url: str, token: str | None = None) -> None:
        super().__init__()
        self.trust_env = False
        self.url = url
        self.token = token
        if token:
            self.headers["Authorization"] = f"Bearer {token}"

    @property
    def sign_in_url(self) -> str:
        """The URL that signs a browser in."""
        return f"{self.url}/?token={self.token}"

    def request(self, method: str, path: Any, *args: Any, **options: Any) -> requests.Response:  # type: ignore[override]
        defaults = {"allow_redirects": False, "timeout": 60}
        return super().request(method, f"{self.url}{path}", *args, **{**defaults, **options})


@contextmanager
def serving(*arguments: object, **environment: str) -> Iterator[str]:
    """Run a server with these arguments on a free port, and yield its address."""
    with server_process("--port", "0", *arguments, **environment) as (_, url, _token):
        yield url


@contextmanager
def signed_in(*arguments: object, **environment: str) -> Iterator[ApiClient]:
    """Run a server that generates its token, and yield a client with the token."""
    with server_process("--port", "0", *arguments, **environment) as (_, url, token), ApiClient(url, token) as client:
        yield client


@contextmanager
def server_process(*arguments: object, **environment: str) -> Iterator[tuple[subprocess.Popen[str], str, str | None]]:
    """Run a server and yield its process, its URL and the token that it generated."""
    command = [sys.executable, "-m", "odahu_argo", "server", *map(str, arguments)]
    variables: Mapping[str, str] = {**os.environ, **environment}
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=variables)
    try:
        assert process.stderr is not None
        line = process.stderr.readline()
        match = re.match(r"listening on (http://[^/]+|unix:.+)/(?:\?token=(\S+))?$", line)
        assert match, line + process.stderr.read()
        yield process, match[1], match[2]
    finally:
        process.terminate()
        process.communicate(timeout=30)
