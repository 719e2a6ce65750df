"""Small objects from servers that do not keep to HTTP, or damage what they send; these are scripted, for real ones do not."""

from __future__ import annotations

import base64
import errno
import hashlib
import socket
from collections.abc import Callable
from concurrent.futures import CancelledError
from contextlib import suppress
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from odahu_argo.storage.asking import Refused
from odahu_argo.storage.base import Arriving, StoredObject
from odahu_argo.storage.reading import Damaged
from odahu_argo.storage.request import Broken
from odahu_argo.storage.s3_key import Keys
from odahu_argo.storage.s3_reading import Place, S3Reading
from tests.servers.handlers import serving_by
from tests.servers.scripted import Answer, answering

CONTENT = b"123456789"
SHA1, SHA256 = hashlib.sha1(CONTENT).digest(), hashlib.sha256(CONTENT).digest()


def failure(
    url: str,
    target: Path,
    while_waiting: Callable[[Arriving], None] = lambda arriving: None,
    token: str | None = None,
) -> BaseException | None:
    """What the object `a` of nine bytes ends with, from this server."""
    reading = S3Reading.of(Place(f"{url}/bucket", "eu-central-1"), Keys("id", "secret", token))
    arriving = reading.start(StoredObject("a", len(CONTENT), 0.0), target, lambda moved: None)
    assert arriving
    while not arriving.future.done():
        reading.server.multi.turn(0.1)
        while_waiting(arriving)
    with suppress(CancelledError):
        return arriving.future.exception()
    return CancelledError()


def failure_after(answer: Answer, target: Path) -> BaseException | None:
    with answering(answer) as server:
        return failure(server.address, target)


def with_checksum(name: str, value: bytes | str) -> Answer:
    told = value if isinstance(value, str) else base64.b64encode(value).decode()
    return Answer(200, CONTENT, {f"x-amz-checksum-{name}": told})


CHECKSUMS = {
    "crc32": bytes.fromhex("cbf43926"),
    "crc32c": bytes.fromhex("e3069283"),
    "crc64nvme": bytes.fromhex("ae8b14860a799888"),
    "sha1": SHA1,
    "sha256": SHA256,
}
"""Of `123456789`, which the catalogues of checksums give for a check."""


@pytest.mark.parametrize("name", CHECKSUMS)
def test_the_checksum_that_s3_tells_has_to_fit(name: str, tmp_path: Path) -> None:
    right, wrong = CHECKSUMS[name], CHECKSUMS[name][::-1]
    assert failure_after(with_checksum(name, right), tmp_path / "a") is None
    assert (tmp_path / "a").read_bytes() == CONTENT
    assert isinstance(failure_after(with_checksum(name, wrong), tmp_path / "b"), Damaged)
    assert not (tmp_path / "b").exists()


def test_a_checksum_of_parts_tells_nothing_of_the_whole(tmp_path: Path) -> None:
    assert failure_after(with_checksum("crc32", "AAAAAA==-3"), tmp_path / "a") is None


@pytest.mark.parametrize("status", [206, 301, 404, 503])
def test_an_answer_that_is_not_the_object_is_not_taken(status: int, tmp_path: Path) -> None:
    assert isinstance(failure_after(Answer(status, b"sorry"), tmp_path / "a"), Refused)
    assert not (tmp_path / "a").exists()


class _Endless(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        with suppress(OSError):
            while True:
                self.wfile.write(bytes(1_000_000))

    def log_message(self, format: str, *arguments: object) -> None:
        pass


def test_a_small_object_that_has_grown_is_not_taken_into_memory(tmp_path: Path) -> None:
    with serving_by(_Endless) as url:
        assert isinstance(failure(url, tmp_path / "a"), Broken)


def test_an_object_that_ends_too_soon_is_not_taken(tmp_path: Path) -> None:
    assert isinstance(failure_after(Answer(200, CONTENT[:4], length=9), tmp_path / "a"), Broken)


def test_a_disk_that_is_full_is_the_error(tmp_path: Path) -> None:
    error = failure_after(Answer(200, CONTENT), Path("/dev/full"))
    assert isinstance(error, OSError) and error.errno == errno.ENOSPC


def test_a_server_that_falls_silent_does_not_delay_a_stop(tmp_path: Path) -> None:
    """Else libcurl gives up, which is another error."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        assert isinstance(failure(url, tmp_path / "a", lambda arriving: arriving.stop()), CancelledError)


def test_the_token_of_passing_credentials_is_part_of_the_signature(tmp_path: Path) -> None:
    with answering(Answer(200, CONTENT)) as server:
        assert failure(server.address, tmp_path / "a", token="passing") is None
    headers = dict(server.headers[0])
    assert headers["x-amz-security-token"] == "passing"
    signed = headers["Authorization"].partition("SignedHeaders=")[2].partition(",")[0]
    assert "x-amz-security-token" in signed.split(";")
