"""A package index that forwards requests to the index of this machine, for pods without access to it."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from urllib.parse import urljoin, urlsplit

import requests

from tests.servers.handlers import serving_by

INDEX = os.environ.get("UV_DEFAULT_INDEX") or os.environ.get("PIP_INDEX_URL") or "https://pypi.org/simple/"
_LINK = re.compile(r'href="([^"]+)"')


class _ForwardingIndex(BaseHTTPRequestHandler):
    """Serves `/simple/NAME/` from the index, and `/SCHEME/HOST/PATH` from any other server that its pages refer to."""

    def do_GET(self) -> None:
        name = self.path.removeprefix("/simple/")
        is_page = name != self.path
        url = urljoin(INDEX.rstrip("/") + "/", name) if is_page else self.path[1:].replace("/", "://", 1)
        response = requests.get(url, headers={"Accept": "text/html" if is_page else "*/*"}, timeout=60)
        content = response.content
        if is_page:
            content = _LINK.sub(lambda link: f'href="{_own_path(url, link[1])}"', response.text).encode()
        self.send_response(response.status_code)
        self.send_header("Content-Type", response.headers.get("Content-Type", "application/octet-stream"))
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(content)

    do_HEAD = do_GET

    def log_message(self, format: str, *arguments: object) -> None:
        pass


def _own_path(page: str, link: str) -> str:
    parts = urlsplit(urljoin(page, link))
    fragment = f"#{parts.fragment}" if parts.fragment else ""
    return f"/{parts.scheme}/{parts.netloc}{parts.path}{fragment}"


@contextmanager
def forwarding_index(address: str) -> Iterator[str]:
    """Run the index and yield its URL."""
    with serving_by(_ForwardingIndex, address=address) as url:
        yield f"{url}/simple/"
