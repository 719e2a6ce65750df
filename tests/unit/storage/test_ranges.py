"""Large objects in ranges, from servers that do not keep to HTTP; these are scripted, for real ones keep to it.

Unencrypted they come by the kernel, else by libcurl.
"""

from __future__ import annotations

import errno
import ssl
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError
from contextlib import AbstractContextManager, contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Protocol

import pytest
import trustme

from odahu_argo.storage.part import Unusable
from odahu_argo.storage.ranges import InRanges
from odahu_argo.storage.request import Broken
from odahu_argo.storage.server import TRUST_OF_REQUESTS, Server
from tests.servers.handlers import serving_by

SIZE = 40_000_000
Answering = Callable[["Asked"], None]


class Asked(BaseHTTPRequestHandler):
    """A request for a range, to be answered by the test."""

    answer: Answering

    def do_GET(self) -> None:
        type(self).answer(self)

    def range(self) -> tuple[int, int]:
        begin, end = map(int, self.headers["Range"].removeprefix("bytes=").split("-"))
        return begin, end + 1

    def say(self, length: int, etag: str | None = '"1"', size: int = SIZE) -> None:
        begin, end = self.range()
        self.send_response(206)
        self.send_header("Content-Range", f"bytes {begin}-{end - 1}/{size}")
        self.send_header("Content-Length", str(length))
        if etag is not None:
            self.send_header("ETag", etag)
        self.end_headers()

    def log_message(self, format: str, *arguments: object) -> None:
        pass


class Arriving(Protocol):
    """Begins to bring an object whose server answers like that."""

    def __call__(
        self, answer: Answering, target: Path, on_bytes: Callable[[int], None] = ...
    ) -> AbstractContextManager[InRanges]: ...


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ssl.SSLContext]:
    """A certificate of this machine, whose authority is trusted meanwhile."""
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    authority.cert_pem.write_to_path(str(file := tmp_path_factory.mktemp("tls") / "authority.pem"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(TRUST_OF_REQUESTS.variables[0], str(file))
        yield context


@pytest.fixture(params=["plain", "encrypted"])
def arriving(request: pytest.FixtureRequest) -> Arriving:
    own = request.getfixturevalue("tls") if request.param == "encrypted" else None

    @contextmanager
    def arriving(
        answer: Answering, target: Path, on_bytes: Callable[[int], None] = lambda count: None
    ) -> Iterator[InRanges]:
        handler = type("Answering", (Asked,), {"answer": staticmethod(answer)})
        with serving_by(handler, own) as url:
            server = Server(url, TRUST_OF_REQUESTS, lambda asked: {})
            try:
                yield InRanges(server, "/a", {}, SIZE, target, on_bytes)
            finally:
                server.threads.shutdown()

    return arriving


def zeros(asked: Asked) -> None:
    begin, end = asked.range()
    asked.say(end - begin)
    asked.wfile.write(bytes(end - begin))


def more_than_asked(asked: Asked) -> None:
    begin, end = asked.range()
    asked.say(end - begin + 1000)
    asked.wfile.write(bytes(end - begin + 1000))


def of_another_size(asked: Asked) -> None:
    begin, end = asked.range()
    asked.say(end - begin, size=SIZE + 1)
    asked.wfile.write(bytes(end - begin))


def of_a_version_each(asked: Asked) -> None:
    begin, end = asked.range()
    asked.say(end - begin, etag=f'"{begin}"')
    asked.wfile.write(bytes(end - begin))


def of_no_known_version(asked: Asked) -> None:
    begin, end = asked.range()
    asked.say(end - begin, etag=None)
    asked.wfile.write(bytes(end - begin))


def whole(asked: Asked) -> None:
    asked.send_response(200)
    asked.send_header("Content-Length", "5")
    asked.end_headers()
    asked.wfile.write(b"whole")


def test_ranges_come_into_their_places(arriving: Arriving, tmp_path: Path) -> None:
    told: list[int] = []
    with arriving(zeros, tmp_path / "a", told.append) as coming:
        assert coming.future.exception() is None
    assert (tmp_path / "a").read_bytes() == bytes(SIZE)
    assert sum(told) == coming.moved == SIZE


@pytest.mark.parametrize(
    "answer",
    [more_than_asked, of_another_size, of_a_version_each, of_no_known_version, whole],
    ids=lambda f: f.__name__,
)
def test_what_is_not_the_range_that_was_asked_for_is_not_taken(
    arriving: Arriving, answer: Answering, tmp_path: Path
) -> None:
    with arriving(answer, tmp_path / "a") as coming:
        assert isinstance(coming.future.exception(), Unusable)


def test_a_range_that_breaks_off_goes_on_where_it_was(
    arriving: Arriving, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("odahu_argo.storage.ranges.PAUSES", (0.1, 0.1))
    asked_for: list[tuple[int, int]] = []

    def halves(asked: Asked) -> None:
        begin, end = asked.range()
        is_first = all(until != end for _, until in asked_for)
        asked_for.append((begin, end))
        asked.say(end - begin)
        asked.wfile.write(bytes((end - begin) // 2 if is_first else end - begin))
        asked.close_connection = True

    with arriving(halves, tmp_path / "a") as coming:
        assert coming.future.exception() is None
    assert (tmp_path / "a").read_bytes() == bytes(SIZE)
    assert len(asked_for) == 4
    assert all(begin > 0 for begin, _ in asked_for[2:])


def test_an_answer_that_holds_nothing_is_not_asked_for_without_end(
    arriving: Arriving, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("odahu_argo.storage.ranges.PAUSES", (0.1,))
    with arriving(lambda asked: asked.say(0), tmp_path / "a") as coming:
        assert isinstance(coming.future.exception(), Broken)


def test_a_server_that_falls_silent_does_not_delay_a_stop(arriving: Arriving, tmp_path: Path) -> None:
    begun, over = threading.Event(), threading.Event()

    def silent(asked: Asked) -> None:
        begin, end = asked.range()
        asked.say(end - begin)
        asked.wfile.write(bytes(1000))
        begun.set()
        over.wait()

    with arriving(silent, tmp_path / "a") as coming:
        assert begun.wait(10)
        coming.stop()
        try:
            assert isinstance(coming.future.exception(timeout=10), CancelledError)
        finally:
            over.set()


def test_a_disk_that_is_full_is_the_error(arriving: Arriving, monkeypatch: pytest.MonkeyPatch) -> None:
    """`/dev/full` is also a file that the kernel moves nothing to by itself."""
    monkeypatch.setattr("odahu_argo.storage.ranges.PAUSES", (0.1,))
    with arriving(zeros, Path("/dev/full")) as coming:
        error = coming.future.exception()
    assert isinstance(error, OSError) and error.errno == errno.ENOSPC
