"""Downloads from every store, and downloads from scripted servers that fail in ways real ones do not."""

from __future__ import annotations

import hashlib
import os
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from odahu_argo.contract import EXIT_USER_ERROR, DownloadSpec
from odahu_argo.errors import ServiceFault, UserError
from odahu_argo.storage.base import StoredObject, TransferStopped
from odahu_argo.storage.factory import open_store
from odahu_argo.storage.transfer import Copy, download_all, plan_copies
from tests.servers.disk import SIZE
from tests.servers.handlers import serving_by
from tests.servers.measured import MAX_TRANSFER_MEMORY, measure_download
from tests.servers.s3 import Bucket
from tests.servers.step_runner import StepRunner
from tests.unit.storage.conftest import Box, KillableBox

pytestmark = pytest.mark.usefixtures("step_runner")

PROJECT = {"set/good/project.yaml": b"project", "set/good/model/weights": b"weights", "set/good/model/more/x": b"x"}
WHOLE = {"in/project.yaml": b"project", "in/model/weights": b"weights", "in/model/more/x": b"x"}
LARGER = 240_000_000
"""More than is in flight at once."""


def moved(_count: int) -> None:
    pass


def download(step_runner: StepRunner, fields: dict[str, str], local: str, remote: str = "") -> dict[str, bytes]:
    """Every file of the repository after the download, by its path."""
    step_runner.repository.mkdir(exist_ok=True)
    if not (step_runner.workspace.connections / "data").exists():
        step_runner.connect("data", fields)
    step_runner.run(DownloadSpec("data", local, remote))
    return files(step_runner)


def files(step_runner: StepRunner) -> dict[str, bytes]:
    return {
        path.relative_to(step_runner.repository).as_posix(): path.read_bytes()
        for path in step_runner.repository.rglob("*")
        if path.is_file()
    }


@pytest.mark.parametrize(
    ("uri", "remote", "local", "expected"),
    [
        pytest.param("set/good", "", "in/", WHOLE, id="folder-to-folder"),
        pytest.param("set/good/", "", "in/", WHOLE, id="folder-with-slash-to-folder"),
        pytest.param("set/good/project.yaml", "/set/good/", "in/", WHOLE, id="remote-folder-to-folder"),
        pytest.param("set/good/project.yaml", "set/good", "in/", WHOLE, id="remote-folder-without-slashes"),
        pytest.param("set/good/project.yaml", "", "in/new", {"in/new": b"project"}, id="file-to-file"),
        pytest.param("set/good", "/set/good/project.yaml", "in/new", {"in/new": b"project"}, id="remote-file-to-file"),
        pytest.param("set/good/project.yaml", "", "in/", {"in/project.yaml": b"project"}, id="file-to-folder"),
        pytest.param(
            "set", "set/good/project.yaml", "in/", {"in/project.yaml": b"project"}, id="remote-file-to-folder"
        ),
        pytest.param("", "set/good/model/more", "./", {"x": b"x"}, id="remote-folder-of-a-whole-bucket"),
    ],
)
def test_paths_follow_the_rules_of_odahu(
    step_runner: StepRunner, box: Box, uri: str, remote: str, local: str, expected: dict[str, bytes]
) -> None:
    box.put_all(PROJECT)
    assert download(step_runner, box.fields(uri), local, remote) == expected


def test_folder_cannot_become_a_file(step_runner: StepRunner, box: Box) -> None:
    box.put_all(PROJECT)
    with pytest.raises(UserError, match=r"localPath 'in' is a file, but .*set/good is a folder"):
        download(step_runner, box.fields("set/good"), "in")


@pytest.mark.parametrize(
    "remote", ["/set/good/missing.yaml", "/se", "set/good/project.yaml/x", "missing/", "set/empty/"]
)
def test_missing_remote_path(step_runner: StepRunner, box: Box, remote: str) -> None:
    box.put_all({**PROJECT, "set/empty/": b""})
    with pytest.raises(UserError) as raised:
        download(step_runner, box.fields("set/good"), "in/", remote)
    assert f"nothing exists at {box.url(remote.strip('/'))}" in str(raised.value)
    assert not files(step_runner)


def test_missing_object_exits_with_user_error(step_runner: StepRunner, box: Box) -> None:
    step_runner.repository.mkdir()
    step_runner.connect("data", box.fields("missing"))
    ended = step_runner.run_process(DownloadSpec("data", "in/"))
    assert ended.code == EXIT_USER_ERROR
    assert ended.message.startswith(f"nothing exists at {box.url('missing')}")
    assert "Traceback" not in ended.log


@pytest.mark.parametrize("remote", ["data/../../etc/passwd", "..", "data/..", "./data", "../other/secret.csv"])
def test_remote_path_with_dots_is_rejected(step_runner: StepRunner, box: Box, remote: str) -> None:
    box.put_all({"data": b"data", "etc/passwd": b"no", "other/secret.csv": b"no"})
    with pytest.raises(UserError):
        download(step_runner, box.fields(), "in/", remote)
    assert not files(step_runner)


def test_objects_of_every_size(box: Box, tmp_path: Path) -> None:
    sizes = (0, 1, 1 << 20, (1 << 20) + 1, 1 << 25, (1 << 25) + 1, 70_000_000)
    objects = {f"sizes/{size} ü#%.bin": os.urandom(size) for size in sizes}
    box.put_all(objects)
    store, _ = open_store(box.fields())
    counts: list[int] = []
    download_all(store, plan_copies(store, "sizes", "in/", tmp_path), counts.append, owner="test")
    assert {f"sizes/{file.name}": file.read_bytes() for file in (tmp_path / "in").iterdir()} == objects
    assert sum(counts) == sum(sizes)


def test_many_objects_use_little_memory(step_runner: StepRunner, fast_box: Box) -> None:
    objects = {f"many/{number % 7}/{number}.bin": os.urandom(number) for number in range(1000)}
    fast_box.put_all(objects)
    step_runner.repository.mkdir()
    step_runner.connect("data", fast_box.fields("many"))
    measurement = measure_download(step_runner, DownloadSpec("data", "many/"))
    assert files(step_runner) == objects
    assert measurement.peak_bytes < MAX_TRANSFER_MEMORY


def test_complete_files_are_kept_and_others_replaced(step_runner: StepRunner, box: Box) -> None:
    box.put_all(PROJECT)
    download(step_runner, box.fields("set/good"), "in/")
    kept = (step_runner.repository / "in/project.yaml").stat().st_ino
    (step_runner.repository / "in/model/weights").write_bytes(b"changed")
    (step_runner.repository / "in/own.txt").write_bytes(b"own")
    assert download(step_runner, box.fields(), "in/") == {**WHOLE, "in/own.txt": b"own"}
    assert (step_runner.repository / "in/project.yaml").stat().st_ino == kept


def test_full_disk_leaves_no_partial_file(step_runner: StepRunner, box: Box, small_disk: Path) -> None:
    box.put_all({"data/small.csv": b"small", "data/x/large.bin": os.urandom(2 * SIZE)})
    step_runner.repository.symlink_to(small_disk)
    with pytest.raises(ServiceFault, match=r"the disk is full: .*small-disk/in/.* could not be written"):
        download(step_runner, box.fields("data"), "in/")
    assert set(files(step_runner)) <= {"in/small.csv"}


def test_full_disk_while_ranges_arrive(bucket: Bucket, tmp_path: Path, small_disk: Path) -> None:
    bucket.put_all({"large.bin": os.urandom(70_000_000)})
    store, _ = open_store(bucket.fields())
    with pytest.raises(ServiceFault, match="the disk is full"):
        download_all(store, plan_copies(store, "large.bin", "in/", small_disk), moved, owner="test")
    assert list((small_disk / "in").iterdir()) == []


def fetch_all(killable: KillableBox, key: str, folder: Path) -> None:
    store, _ = open_store(killable.box.fields())
    download_all(store, plan_copies(store, key, "in/", folder), moved, owner="test")


@contextmanager
def as_bytes_arrive(size: int, folder: Path, act: Callable[[], None]) -> Iterator[None]:
    """Act in another thread as soon as a partial file in the folder has this size, and require that this happens."""
    ended, acted = threading.Event(), threading.Event()

    def watch() -> None:
        while not acted.is_set() and not ended.is_set():
            with suppress(FileNotFoundError):
                if any(file.stat().st_size >= size for file in folder.rglob("*.partial")):
                    acted.set()
                    act()

    with ThreadPoolExecutor(1) as pool:
        watching = pool.submit(watch)
        try:
            yield
        finally:
            ended.set()
        watching.result()
    assert acted.is_set()


def test_download_survives_a_server_restart(killable: KillableBox, tmp_path: Path) -> None:
    killable.put_all({"large.bin": (content := os.urandom(LARGER))})
    with as_bytes_arrive(3_000_000, tmp_path, killable.kill_and_start):
        fetch_all(killable, "large.bin", tmp_path)
    assert [path.name for path in (tmp_path / "in").iterdir()] == ["large.bin"]
    assert (tmp_path / "in/large.bin").read_bytes() == content


@pytest.mark.usefixtures("few_retries")
def test_download_from_a_killed_server_leaves_nothing_and_can_be_repeated(
    killable: KillableBox, tmp_path: Path
) -> None:
    killable.put_all({"large.bin": (content := os.urandom(LARGER))})
    with (
        pytest.raises(ServiceFault, match=r"large\.bin: connection to .* failed"),
        as_bytes_arrive(3_000_000, tmp_path, killable.server.kill),
    ):
        fetch_all(killable, "large.bin", tmp_path)
    assert list((tmp_path / "in").iterdir()) == []
    killable.server.start()
    fetch_all(killable, "large.bin", tmp_path)
    assert (tmp_path / "in/large.bin").read_bytes() == content


def test_stopped_download_leaves_complete_files_only(box: Box, tmp_path: Path) -> None:
    objects = {f"data/{number}": os.urandom(100_000) for number in range(100)} | {"data/large": bytes(70_000_000)}
    box.put_all(objects)
    store, _ = open_store(box.fields())
    stopped = threading.Event()
    with pytest.raises(TransferStopped):
        download_all(
            store, plan_copies(store, "data", "in/", tmp_path), lambda count: stopped.set(), "test", stopped=stopped
        )
    arrived = list((tmp_path / "in").iterdir())
    assert len(arrived) < len(objects)
    assert all(file.read_bytes() == objects[f"data/{file.name}"] for file in arrived)


def test_stop_ends_the_pause_before_a_retry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("odahu_argo.storage.transfer.DELAYS", (1000.0,))
    stopped = threading.Event()
    timer = threading.Timer(0.3, stopped.set)
    timer.start()
    store, _ = open_store({**FIELDS, "endpoint": "http://127.0.0.1:9"})
    with pytest.raises(TransferStopped):
        plan_copies(store, "a", "in/", tmp_path, stopped)
    timer.join()


FIELDS = {"type": "s3", "uri": "s3://b", "keyID": "k", "keySecret": "s", "region": "us-east-1"}
LARGE = 70_000_000
SMALL = b"123456789"
Respond = Callable[["Request"], None]


class Request(BaseHTTPRequestHandler):
    """A request for an object, answered by the test."""

    respond: Respond
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        with suppress(OSError):
            type(self).respond(self)

    def range(self) -> tuple[int, int]:
        begin, end = map(int, self.headers["Range"].removeprefix("bytes=").split("-"))
        return begin, end + 1

    def head(self, status: int, length: int, etag: str, content_range: str = "") -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(length))
        self.send_header("Last-Modified", "Mon, 27 Jul 2026 08:00:00 GMT")
        self.send_header("ETag", f'"{etag}"')
        if content_range:
            self.send_header("Content-Range", content_range)
        self.end_headers()

    def partial_head(self, etag: str = "1", size: int = LARGE) -> int:
        """Send the head of the answer to a range request and return the number of bytes to send."""
        begin, end = self.range()
        self.head(206, end - begin, etag, f"bytes {begin}-{end - 1}/{size}")
        return end - begin

    def log_message(self, format: str, *arguments: object) -> None:
        pass


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An empty folder."""
    (tmp_path / "in").mkdir()
    return tmp_path / "in"


def fetch(respond: Respond, target: Path, source: StoredObject, stopped: threading.Event | None = None) -> list[int]:
    """Download one object from a server that responds like this; return the progress that was reported."""
    handler = type("Responding", (Request,), {"respond": staticmethod(respond)})
    counts: list[int] = []
    with serving_by(handler) as url:
        store, _ = open_store({**FIELDS, "endpoint": url})
        download_all(store, [Copy(source, target)], counts.append, "test", stopped)
    return counts


def large(etag: str = "1") -> StoredObject:
    return StoredObject("large", LARGE, time.time(), etag)


def zeros(request: Request) -> None:
    request.wfile.write(bytes(request.partial_head()))


def test_ranges_are_assembled(folder: Path) -> None:
    def letters(request: Request) -> None:
        begin, _ = request.range()
        request.wfile.write(bytes([begin % 251]) * request.partial_head())

    counts = fetch(letters, folder / "a", large())
    content = (folder / "a").read_bytes()
    assert sum(counts) == len(content) == LARGE
    assert [content[begin] for begin in range(0, LARGE, 1 << 25)] == [b % 251 for b in range(0, LARGE, 1 << 25)]


def test_ranges_of_different_versions_are_rejected(folder: Path) -> None:
    def versions(request: Request) -> None:
        begin, _ = request.range()
        request.wfile.write(bytes(request.partial_head(etag="2" if begin else "1")))

    with pytest.raises(ServiceFault, match="was changed during the download"):
        fetch(versions, folder / "a", large())
    assert list(folder.iterdir()) == []


@pytest.mark.usefixtures("few_retries")
def test_wrong_range_is_rejected(folder: Path) -> None:
    def shifted(request: Request) -> None:
        begin, end = request.range()
        request.head(206, end - begin, "1", f"bytes {begin + 1}-{end}/{LARGE}")
        request.wfile.write(bytes(end - begin))

    with pytest.raises(ServiceFault):
        fetch(shifted, folder / "a", large())
    assert list(folder.iterdir()) == []


def test_interrupted_range_continues(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("odahu_argo.storage.transfer.DELAYS", (0.1, 0.1))
    requests: list[tuple[int, int]] = []

    def halves(request: Request) -> None:
        begin, end = request.range()
        is_first = all(until != end for _, until in requests)
        requests.append((begin, end))
        count = request.partial_head()
        request.wfile.write(bytes(count // 2 if is_first else count))
        request.close_connection = True

    counts = fetch(halves, folder / "a", large())
    assert (folder / "a").read_bytes() == bytes(LARGE)
    assert sum(counts) == LARGE
    assert len(requests) == 6
    assert all(begin % (1 << 25) for begin, _ in requests[3:])


def test_server_without_ranges_is_read_in_one_stream(folder: Path) -> None:
    requests: list[str | None] = []

    def whole(request: Request) -> None:
        requests.append(request.headers["Range"])
        request.head(200, LARGE, "1")
        request.wfile.write(bytes(LARGE))

    counts = fetch(whole, folder / "a", large())
    assert (folder / "a").read_bytes() == bytes(LARGE)
    assert sum(counts) == LARGE
    assert requests[-1] is None


@pytest.mark.usefixtures("few_retries")
@pytest.mark.parametrize("length", [4, 20], ids=["shorter", "longer"])
def test_object_of_another_size_is_rejected(length: int, folder: Path) -> None:
    def other(request: Request) -> None:
        request.head(200, length, "1")
        request.wfile.write(bytes(length))

    with pytest.raises(ServiceFault, match=r"has .* bytes instead of 9"):
        fetch(other, folder / "a", StoredObject("a", 9, 0.0, "1"))
    assert list(folder.iterdir()) == []


@pytest.mark.usefixtures("few_retries")
def test_object_that_ends_early_is_rejected(folder: Path) -> None:
    def short(request: Request) -> None:
        request.head(200, 9, "1")
        request.wfile.write(b"1234")
        request.close_connection = True

    with pytest.raises(ServiceFault, match=r"connection to .* failed"):
        fetch(short, folder / "a", StoredObject("a", 9, 0.0, "1"))
    assert list(folder.iterdir()) == []


def responding_with(etag: str, *contents: bytes) -> Respond:
    """Answer with these contents in turn, the last one repeatedly."""
    left = list(contents)

    def respond(request: Request) -> None:
        request.head(200, len(left[0]), etag)
        request.wfile.write(left.pop(0) if len(left) > 1 else left[0])

    return respond


MD5 = hashlib.md5(SMALL).hexdigest()
OBJECT = StoredObject("a", len(SMALL), 0.0, MD5)


def test_damaged_object_is_fetched_again(folder: Path) -> None:
    counts = fetch(responding_with(MD5, b"12345678x", SMALL), folder / "a", OBJECT)
    assert (folder / "a").read_bytes() == SMALL
    assert sum(counts) == len(SMALL)


def test_object_damaged_twice_is_rejected(folder: Path) -> None:
    with pytest.raises(ServiceFault, match="arrived damaged"):
        fetch(responding_with(MD5, b"12345678x", b"12345678y"), folder / "a", OBJECT)
    assert list(folder.iterdir()) == []


def test_etag_of_an_encrypted_object_is_not_a_digest(folder: Path) -> None:
    """Amazon's ETag of an object with SSE-KMS looks like an MD5 digest."""
    other = hashlib.md5(b"encrypted").hexdigest()
    fetch(responding_with(other, SMALL), folder / "a", StoredObject("a", len(SMALL), 0.0, other))
    assert (folder / "a").read_bytes() == SMALL


def test_stop_while_ranges_arrive(folder: Path) -> None:
    stopped = threading.Event()

    def slow(request: Request) -> None:
        count = request.partial_head()
        with suppress(OSError):
            for _ in range(0, count, 1 << 20):
                request.wfile.write(bytes(1 << 20))
                stopped.set()
                time.sleep(0.05)

    with pytest.raises(TransferStopped):
        fetch(slow, folder / "a", large(), stopped)
    assert list(folder.iterdir()) == []
