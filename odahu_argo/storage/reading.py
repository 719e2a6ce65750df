"""Objects read from a server over HTTP: many small ones at once in one thread by libcurl, large ones in ranges by several.

The clouds' own libraries take half a second to start, and 2 to 4 ms of processor for each object; libcurl takes 0.1 ms.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import CancelledError, Future
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from odahu_argo.storage.asking import Refused, is_for_libcurl
from odahu_argo.storage.base import Arriving, OnBytes
from odahu_argo.storage.ranges import InRanges
from odahu_argo.storage.request import Answer, Broken
from odahu_argo.storage.server import Server

SMALL = 1024 * 1024
"""Bytes up to which an object is brought by one request, and is in memory until all of it has come."""


class Damaged(Exception):
    """What has come has another checksum than was announced."""


@dataclass(frozen=True, slots=True)
class Source:
    """An object: its path, which goes on from the server's URL, its size in bytes, and headers to ask for it with.

    `fits` tells whether a small object is what was announced, where there is something to tell it by.
    """

    path: str = field(repr=False)
    size: int
    headers: Mapping[str, str] = field(default_factory=dict)
    fits: Callable[[Answer], bool] | None = None


def start(server: Server, source: Source, target: Path, on_bytes: OnBytes) -> Arriving | None:
    """Begin to write an object to the file, which `server.multi` needs turns for; the future's error says why it failed.

    None where the server is not usable, the path leads elsewhere, or a small object cannot be begun, which the cloud's
    library has words for.

    Raises:
        OSError: the file of a large object cannot be written.
    """
    if not is_for_libcurl(server, source.path):
        return None
    if source.size > SMALL:
        return InRanges(server, source.path, source.headers, source.size, target, on_bytes)
    with suppress(Exception):
        return _Small(server, source, target)
    return None


class _Small:
    """A small object on its way to a file, which it is written to, and told of, at its end alone."""

    moved = 0
    is_checked = True

    def __init__(self, server: Server, source: Source, target: Path) -> None:
        self.future: Future[None] = Future()
        self._source, self._target = source, target
        url = server.url + source.path
        self._give_up = server.multi.begin("GET", url, source.headers, self._end, most=SMALL)

    def stop(self) -> None:
        self._give_up()
        if not self.future.done():
            self.future.set_exception(CancelledError())

    def _end(self, answer: Answer | Broken) -> None:
        try:
            if isinstance(answer, Broken):
                raise answer
            if answer.status != 200:
                raise Refused(answer.status, str(answer.status))
            if self._source.fits and not self._source.fits(answer):
                raise Damaged
            self._target.write_bytes(answer.content.getbuffer())
        except Exception as error:
            self.future.set_exception(error)
        else:
            self.future.set_result(None)
