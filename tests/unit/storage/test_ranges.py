"""Large objects in ranges, from servers that do not keep to HTTP; these are scripted, for real ones keep to it.

Unencrypted they come by the kernel, else by libcurl.
"""

from __future__ import annotations

import errno
import gc
import ssl
import threading
import time
import warnings
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
    protocol_version = "HTTP/1.1"

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


@contextmanager
def reading_from(answer: Answering, tls: ssl.SSLContext | None) -> Iterator[Server]:
    handler = type("Answering", (Asked,), {"answer": staticmethod(answer)})
    with serving_by(handler, tls) as url:
        server = Server(url, TRUST_OF_REQUESTS, lambda asked: {})
        try:
            yield server
        finally:
            server.threads.shutdown()
            del server
            with warnings.catch_warnings():
                warnings.simplefilter(
                    "ignore", ResourceWarning
                )  # connections that have nothing to do end with their server
                gc.collect()


@pytest.fixture(params=["plain", "encrypted"])
def arriving(request: pytest.FixtureRequest) -> Arriving:
    own = request.getfixturevalue("tls") if request.param == "encrypted" else None

    @contextmanager
    def arriving(
        answer: Answering, target: Path, on_bytes: Callable[[int], None] = lambda count: None
    ) -> Iterator[InRanges]:
        with reading_from(answer, own) as server:
            yield InRanges(server, "/a", {}, SIZE, target, on_bytes)

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


@pytest.mark.parametrize("count", [0, 1000])
def test_a_server_that_falls_silent_does_not_delay_a_stop(count: int, arriving: Arriving, tmp_path: Path) -> None:
    begun, over = threading.Event(), threading.Event()

    def silent(asked: Asked) -> None:
        begin, end = asked.range()
        asked.say(end - begin)
        asked.wfile.write(bytes(count))
        begun.set()
        over.wait()

    with arriving(silent, tmp_path / "a") as coming:
        assert begun.wait(10)
        coming.stop()
        try:
            assert isinstance(coming.future.exception(timeout=5), CancelledError)
        finally:
            over.set()


@pytest.mark.parametrize("way", ["plain", "encrypted"])
def test_connections_serve_one_object_after_the_other(
    way: str, tls: ssl.SSLContext, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("odahu_argo.storage.ranges.PAUSES", ())
    ports: set[int] = set()

    def answer(asked: Asked) -> None:
        ports.add(asked.client_address[1])
        zeros(asked)

    with reading_from(answer, tls if way == "encrypted" else None) as server:
        for name in "abc":
            assert InRanges(server, "/a", {}, SIZE, tmp_path / name, lambda count: None).future.exception() is None
    assert len(ports) == 2


@pytest.mark.parametrize("way", ["plain", "encrypted"])
def test_connections_that_the_server_has_closed_are_not_used_again(
    way: str, tls: ssl.SSLContext, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("odahu_argo.storage.ranges.PAUSES", ())

    def once(asked: Asked) -> None:
        zeros(asked)
        asked.close_connection = True

    with reading_from(once, tls if way == "encrypted" else None) as server:
        for name in "abc":
            assert InRanges(server, "/a", {}, SIZE, tmp_path / name, lambda count: None).future.exception() is None
            time.sleep(0.2)  # until the server's end of the connections is closed


def test_a_disk_that_fills_is_the_error(arriving: Arriving, small_disk: Path) -> None:
    with arriving(zeros, small_disk / "a") as coming:
        error = coming.future.exception()
    assert isinstance(error, OSError) and error.errno == errno.ENOSPC


def test_a_file_that_the_kernel_moves_nothing_to_is_written_all_the_same(arriving: Arriving) -> None:
    """`/dev/full` is one, which then says that it is full."""
    with arriving(zeros, Path("/dev/full")) as coming:
        error = coming.future.exception()
    assert isinstance(error, OSError) and error.errno == errno.ENOSPC
