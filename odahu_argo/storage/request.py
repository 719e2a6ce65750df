"""A request to a server of objects, and what comes of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any

USER_AGENT = "odahu-argo"


@dataclass(frozen=True, slots=True)
class Asked:
    """A request that is about to be sent: GET or HEAD, where to, and its headers."""

    method: str
    url: str = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)


Authorize = Callable[[Asked], Mapping[str, str]]
"""Gives the headers that let a request in."""


def let_in(asked: Asked, authorize: Authorize) -> Asked:
    """The request with the headers that let it in."""
    return Asked(asked.method, asked.url, {**authorize(asked), **asked.headers})


@dataclass(frozen=True, slots=True)
class Patience:
    """Seconds that a server has to take a connection, and to send anything at all."""

    to_connect: int = 10
    in_silence: int = 20


def tell(handle: Any, asked: Asked) -> None:
    """Have the handle of libcurl's ask for that."""
    handle.setopt(handle.URL, asked.url)
    handle.setopt(handle.HTTPHEADER, [f"{name}: {value}" for name, value in asked.headers.items()])
    handle.setopt(handle.NOBODY, asked.method == "HEAD")


class Broken(Exception):
    """No answer came, or not all of it, or a failure that may pass: libcurl's number for it or HTTP's, and words."""

    def __init__(self, number: int, words: str) -> None:
        """Broken for this reason; 0 is no number."""
        super().__init__(f"{words} ({number})" if number else words)
        self.number = number


@dataclass(eq=False, slots=True)
class Answer:
    """What has come: the lines of the head, and the body."""

    lines: list[bytes] = field(default_factory=list)
    content: BytesIO = field(default_factory=BytesIO)
    status: int = 0
    """Of HTTP, when all has come."""

    @property
    def body(self) -> bytes:
        """All of it."""
        return self.content.getvalue()

    @property
    def headers(self) -> dict[str, str]:
        """By their names in small letters."""
        return self.head[1]

    @property
    def head(self) -> tuple[int, dict[str, str]]:
        """Status and headers, by names in small letters, of the last head that has come, for one of 100 may come before."""
        status, headers = 0, {}
        for line in self.lines:
            name, colon, value = line.decode("latin-1").partition(":")
            if colon:
                headers[name.strip().lower()] = value.strip()
            elif name.startswith("HTTP/"):
                status, headers = int(name.split()[1]), {}
        return status, headers
