"""A request by libcurl, and what comes of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any


@dataclass(frozen=True, slots=True)
class Asked:
    """A request that is about to be sent: libcurl's handle for it, GET or HEAD, where to, and the range, as in HTTP."""

    handle: Any
    method: str
    url: str = field(repr=False)
    range: str = ""


Authorize = Callable[[Asked], Mapping[str, str]]
"""Gives the headers that let a request in, and may set options of its handle."""


class Broken(Exception):
    """No answer came, or not all of it, or a failure that may pass: libcurl's number for it or HTTP's, and words."""

    def __init__(self, number: int, words: str) -> None:
        """Broken for this reason."""
        super().__init__(f"{words} ({number})")
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
        return read_head(self.lines)[1]


def prepare(asked: Asked, authorize: Authorize, headers: Mapping[str, str]) -> None:
    """Have the handle ask for that, with these headers and those that authorize it."""
    handle = asked.handle
    everything = {**authorize(asked), **headers}
    handle.setopt(handle.URL, asked.url)
    handle.setopt(handle.HTTPHEADER, [f"{name}: {value}" for name, value in everything.items()])
    handle.setopt(handle.NOBODY, asked.method == "HEAD")


def read_head(lines: list[bytes]) -> tuple[int, dict[str, str]]:
    """Status and headers, by names in small letters, of the last head in these lines, for one of 100 may come before."""
    status, headers = 0, {}
    for line in lines:
        name, colon, value = line.decode("latin-1").partition(":")
        if colon:
            headers[name.strip().lower()] = value.strip()
        elif name.startswith("HTTP/"):
            status, headers = int(name.split()[1]), {}
    return status, headers
