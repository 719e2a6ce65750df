"""What holds for every object store alike, against a real server of each protocol."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from odahu_argo.contract import EXIT_USER_ERROR, DownloadSpec
from odahu_argo.errors import ServiceFault, UserError
from odahu_argo.storage.factory import open_store
from odahu_argo.storage.transfer import download_all, plan_copies
from tests.servers.counted import counted
from tests.servers.disk import SIZE
from tests.servers.measured import MOST_MEMORY, measured_download
from tests.servers.workplace import Workplace
from tests.unit.storage.conftest import Box, Mortal, send, without_sdk

pytestmark = pytest.mark.usefixtures("workplace")

PROJECT = {"set/good/project.yaml": b"project", "set/good/model/weights": b"weights", "set/good/model/more/x": b"x"}
WHOLE = {"in/project.yaml": b"project", "in/model/weights": b"weights", "in/model/more/x": b"x"}


def moved(_count: int) -> None:
    pass


def download(workplace: Workplace, fields: dict[str, str], local: str, remote: str = "") -> dict[str, bytes]:
    """Every file of the repository after the download, by its path."""
    workplace.repository.mkdir(exist_ok=True)
    if not (workplace.workspace.connections / "data").exists():
        workplace.connect("data", fields)
    workplace.run(DownloadSpec("data", local, remote))
    return files(workplace)


def files(workplace: Workplace) -> dict[str, bytes]:
    return {
        path.relative_to(workplace.repository).as_posix(): path.read_bytes()
        for path in workplace.repository.rglob("*")
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
def test_paths_mean_what_they_meant_in_odahu(
    workplace: Workplace, box: Box, uri: str, remote: str, local: str, expected: dict[str, bytes]
) -> None:
    box.put_all(PROJECT)
    assert download(workplace, box.fields(uri), local, remote) == expected


def test_a_folder_cannot_become_a_file(workplace: Workplace, box: Box) -> None:
    box.put_all(PROJECT)
    with pytest.raises(UserError, match=r"localPath 'in' points to a file, but .*set/good is a folder"):
        download(workplace, box.fields("set/good"), "in")


@pytest.mark.parametrize(
    "remote", ["/set/good/missing.yaml", "/se", "set/good/project.yaml/x", "missing/", "set/empty/"]
)
def test_nothing_there_is_the_users_mistake(workplace: Workplace, box: Box, remote: str) -> None:
    box.put_all({**PROJECT, "set/empty/": b""})
    with pytest.raises(UserError) as raised:
        download(workplace, box.fields("set/good"), "in/", remote)
    assert f"there is nothing at {box.url(remote.strip('/'))}" in str(raised.value)
    assert not files(workplace)


def test_a_missing_object_ends_the_step_with_two(workplace: Workplace, box: Box) -> None:
    workplace.repository.mkdir()
    workplace.connect("data", box.fields("missing"))
    ended = workplace.run_process(DownloadSpec("data", "in/"))
    assert ended.code == EXIT_USER_ERROR
    assert ended.message.startswith(f"there is nothing at {box.url('missing')}")
    assert "Traceback" not in ended.log


def test_a_missing_bucket_is_the_users_mistake(workplace: Workplace, box: Box, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"cannot list .*not-there/data/: there is no such (bucket|container)"):
        download(workplace, box.elsewhere(), "in/", "data")
    store, _ = open_store(box.elsewhere())
    with pytest.raises(UserError, match=r"cannot upload .*not-there/a: there is no such (bucket|container)"):
        send(store, b"a", "a")
    with pytest.raises(UserError, match=r"cannot download .*not-there/a: there is no such (bucket|container)"):
        store.download("a", tmp_path / "b", moved)


def test_an_object_that_vanished_is_told_apart_from_a_missing_bucket(box: Box, tmp_path: Path) -> None:
    store, _ = open_store(box.fields())
    with pytest.raises(UserError, match=r"cannot download .*/a: there is no such object"):
        store.download("a", tmp_path / "b", moved)


def test_names_of_every_kind_come_and_go(workplace: Workplace, box: Box) -> None:
    names = ["a b.csv", " ", "München/東京 🍷.csv", "#?%20+&=;.csv", "'\"`$(x).csv", "...", "..a/b..", "~", "é"]
    store, _ = open_store(box.fields())
    for name in names:  # no backslash, which Azure takes for a slash
        send(store, name.encode(), f"names/{name}")
    assert download(workplace, box.fields("names"), "in/") == {f"in/{name}": name.encode() for name in names}
    assert box.get("names/#?%20+&=;.csv") == b"#?%20+&=;.csv"


def test_objects_of_every_size_come_without_the_clouds_library(box: Box, tmp_path: Path) -> None:
    """The library takes five times the processor, and would hide that the quick way does not work."""
    objects = {f"sizes/{size} ü#%.bin": os.urandom(size) for size in (0, 1, 1 << 20, (1 << 20) + 1, 70_000_000)}
    box.put_all(objects)
    store = without_sdk(open_store(box.fields())[0])
    download_all(store, plan_copies(store, "sizes", "in/", tmp_path), moved, owner="test")
    assert {f"sizes/{file.name}": file.read_bytes() for file in (tmp_path / "in").iterdir()} == objects


def test_by_way_of_a_proxy_the_clouds_library_reads(box: Box, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    objects = {f"names/{name}": name.encode() for name in ("a b", "München/東京", "#?%20+&=;")}
    box.put_all(objects)
    quick = without_sdk(open_store(box.fields())[0])
    listed, found = list(quick.list("names/")), quick.stat("names/a b")
    with counted(box.endpoint) as (proxy, asked):
        monkeypatch.setenv("HTTP_PROXY", proxy)
        monkeypatch.setenv("NO_PROXY", "")
        store, _ = open_store(box.fields())
        assert list(store.list("names/")) == listed
        assert store.stat("names/a b") == found is not None
        assert store.stat("names/c") is None
        download_all(store, plan_copies(store, "names", "names/", tmp_path), moved, owner="test")
    assert {name: (tmp_path / name).read_bytes() for name in objects} == objects
    assert len(asked) >= 7


def test_many_threads_may_ask_at_once(box: Box) -> None:
    box.put_all({f"many/{number}": bytes(number) for number in range(20)})
    store = without_sdk(open_store(box.fields())[0])
    with ThreadPoolExecutor(8) as pool:
        sizes = list(pool.map(lambda number: store.stat(f"many/{number}").size, list(range(20)) * 5))
        lists = list(pool.map(lambda _: len(list(store.list("many/"))), range(20)))
    assert sizes == list(range(20)) * 5
    assert lists == [20] * 20


@pytest.mark.parametrize("remote", ["data/../../etc/passwd", "..", "data/..", "./data", "../other/secret.csv"])
def test_a_remote_path_of_dots_reaches_nothing_else(workplace: Workplace, box: Box, remote: str) -> None:
    box.put_all({"data": b"data", "etc/passwd": b"no", "other/secret.csv": b"no"})
    with pytest.raises(UserError):
        download(workplace, box.fields(), "in/", remote)
    assert not files(workplace)


def test_two_thousand_objects_come_complete_in_little_memory(workplace: Workplace, crowd: Box) -> None:
    objects = {f"many/{number % 7}/{number}.bin": os.urandom(number) for number in range(2000)}
    crowd.put_all(objects)
    workplace.repository.mkdir()
    workplace.connect("data", crowd.fields("many"))
    measured = measured_download(workplace, DownloadSpec("data", "many/"))
    assert files(workplace) == objects
    assert measured.peak < MOST_MEMORY


def test_what_is_there_already_is_kept_or_replaced(workplace: Workplace, box: Box) -> None:
    box.put_all(PROJECT)
    download(workplace, box.fields("set/good"), "in/")
    kept = (workplace.repository / "in/project.yaml").stat().st_ino
    (workplace.repository / "in/model/weights").write_bytes(b"changed")
    (workplace.repository / "in/own.txt").write_bytes(b"own")
    assert download(workplace, box.fields(), "in/") == {**WHOLE, "in/own.txt": b"own"}
    assert (workplace.repository / "in/project.yaml").stat().st_ino == kept


def test_an_upload_replaces_the_object(box: Box) -> None:
    store, path = open_store(box.fields("models/out"))
    for size in (17_000_000, 0, 5):
        send(store, content := os.urandom(size), f"{path}/model.zip")
        assert box.get("models/out/model.zip") == content
        found = store.stat("models/out/model.zip")
        assert found and found.size == size


@pytest.mark.parametrize("size", [5, 20_000_000], ids=["small", "in-parts"])
def test_content_that_cannot_be_made_to_its_end_leaves_the_old_object(box: Box, size: int) -> None:
    box.put_all({"model.zip": b"old"})
    store, _ = open_store(box.fields())

    def fail() -> None:
        raise ServiceFault("the disk is failing")

    with pytest.raises(ServiceFault, match="the disk is failing"):
        send(store, os.urandom(size), "model.zip", AtByte(size, fail))
    assert box.get("model.zip") == b"old"


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("odahu_argo.storage.gcs.PATIENCE", 0.5)
    monkeypatch.setattr("odahu_argo.storage.azure.ATTEMPTS_AGAIN", 1)
    monkeypatch.setattr("odahu_argo.storage.ranges.PAUSES", (0.1,))
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "2")


class AtByte:
    """Told how many bytes move, it acts once, in the thread that moves them, when so many have."""

    def __init__(self, size: int, act: Callable[[], None]) -> None:
        self.moved = 0
        self._size = size
        self._act = act
        self._lock = threading.Lock()
        self.acted = False

    def __call__(self, moved: int) -> None:
        with self._lock:
            self.moved += moved
            if self.acted or self.moved < self._size:
                return
            self.acted = True
        self._act()


def fetch_all(mortal: Mortal, key: str, folder: Path) -> None:
    store, _ = open_store(mortal.box.fields())
    download_all(store, plan_copies(store, key, "in/", folder), moved, owner="test")


LARGE = 40_000_000
LARGER = 6 * LARGE
"""More than is on its way at once."""


@contextmanager
def as_bytes_arrive(size: int, folder: Path, act: Callable[[], None]) -> Iterator[None]:
    """Act, in a thread of its own, as soon as an unfinished file in the folder has so many bytes; this has to happen."""
    ended, acted = threading.Event(), threading.Event()

    def look() -> None:
        while not acted.is_set() and not ended.is_set():
            with suppress(FileNotFoundError):
                if any(file.stat().st_size >= size for file in folder.rglob("*.partial")):
                    acted.set()
                    act()

    with ThreadPoolExecutor(1) as pool:
        looking = pool.submit(look)
        try:
            yield
        finally:
            ended.set()
        looking.result()
    assert acted.is_set()


def test_a_download_goes_on_when_the_killed_server_is_back(mortal: Mortal, tmp_path: Path) -> None:
    mortal.put_all({"large.bin": (content := os.urandom(LARGER))})
    with as_bytes_arrive(3_000_000, tmp_path, mortal.kill_and_start):
        fetch_all(mortal, "large.bin", tmp_path)
    assert [path.name for path in (tmp_path / "in").iterdir()] == ["large.bin"]
    assert (tmp_path / "in/large.bin").read_bytes() == content


@pytest.mark.usefixtures("impatient")
def test_a_download_from_a_server_that_stays_dead_leaves_nothing_and_the_next_one_everything(
    mortal: Mortal, tmp_path: Path
) -> None:
    mortal.put_all({"large.bin": (content := os.urandom(LARGER))})
    with (
        pytest.raises(ServiceFault, match=r"large\.bin: the server at .* cannot be reached or broke off"),
        as_bytes_arrive(3_000_000, tmp_path, mortal.server.kill),
    ):
        fetch_all(mortal, "large.bin", tmp_path)
    assert list((tmp_path / "in").iterdir()) == []
    mortal.server.start()
    fetch_all(mortal, "large.bin", tmp_path)
    assert (tmp_path / "in/large.bin").read_bytes() == content


@pytest.mark.usefixtures("impatient")
def test_an_upload_to_a_server_that_is_killed_leaves_the_old_object_and_the_next_one_the_new(
    mortal: Mortal,
) -> None:
    mortal.put_all({"model.zip": b"old"})
    content = os.urandom(LARGE)
    store, _ = open_store(mortal.box.fields())
    with pytest.raises(ServiceFault, match=r"cannot upload .*model\.zip: the server at .* cannot be reached"):
        send(store, content, "model.zip", AtByte(25_000_000, mortal.server.kill))
    mortal.server.start()
    assert mortal.box.get("model.zip") == b"old"
    send(store, content, "model.zip")
    assert mortal.box.get("model.zip") == content


@pytest.mark.usefixtures("impatient")
def test_an_upload_that_has_failed_makes_no_more_content(mortal: Mortal) -> None:
    store, _ = open_store(mortal.box.fields())
    death = AtByte(25_000_000, mortal.server.kill)
    with pytest.raises(ServiceFault, match="cannot upload"):
        send(store, bytes(400_000_000), "model.zip", death)
    assert death.moved < 200_000_000


def test_an_upload_to_a_server_that_was_killed_and_is_back_arrives_or_is_worth_another_try(
    mortal: Mortal,
) -> None:
    """These servers forget the parts of an upload when they are killed, which the clouds do not."""
    mortal.put_all({"model.zip": b"old"})
    content = os.urandom(LARGE)
    store, _ = open_store(mortal.box.fields())
    death = AtByte(25_000_000, mortal.kill_and_start)
    try:
        send(store, content, "model.zip", death)
    except ServiceFault:
        assert mortal.box.get("model.zip") == b"old"
        send(store, content, "model.zip")
    assert death.acted
    assert mortal.box.get("model.zip") == content


def test_a_full_disk_is_told_as_such_and_no_part_of_a_file_is_left(
    workplace: Workplace, box: Box, small_disk: Path
) -> None:
    box.put_all({"data/small.csv": b"small", "data/x/large.bin": os.urandom(2 * SIZE)})
    workplace.repository.symlink_to(small_disk)
    with pytest.raises(ServiceFault, match=r"the disk is full: .*small-disk/in/.* could not be written"):
        download(workplace, box.fields("data"), "in/")
    assert set(files(workplace)) <= {"in/small.csv"}
