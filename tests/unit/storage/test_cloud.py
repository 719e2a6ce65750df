"""Operations of every cloud store, against a real server of each protocol."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from odahu_argo.errors import ServiceFault, UserError
from odahu_argo.storage.base import StoredObject, TransferStopped
from odahu_argo.storage.factory import open_store
from tests.servers.azure import Container
from tests.servers.counted import counted
from tests.servers.s3 import Bucket
from tests.servers.scripted import Answer, answering
from tests.unit.storage.conftest import Box, KillableBox, send

pytestmark = pytest.mark.usefixtures("step_runner")

NAMES = ["a b.csv", " ", "München/東京 🍷.csv", "#?%20+&=;.csv", "'\"`$(x).csv", "...", "..a/b..", "~", "é"]
"""No backslash, which Azure treats as a slash."""
LARGE = 40_000_000


class AtByte:
    """Counts bytes from any thread and acts once when `size` is reached."""

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


def test_special_characters_in_keys(box: Box) -> None:
    store, _ = open_store(box.fields())
    for name in NAMES:
        send(store, name.encode(), f"names/{name}")
    assert [entry.key for entry in store.list("names")] == sorted(f"names/{name}" for name in NAMES)
    for name in NAMES:
        entry = store.stat(f"names/{name}")
        assert entry and entry.size == len(name.encode())
        assert b"".join(store.read(entry)) == name.encode()
    assert box.get("names/#?%20+&=;.csv") == b"#?%20+&=;.csv"


def test_list_contains_only_the_folder(box: Box) -> None:
    box.put_all({"set/a": b"1", "set2/b": b"2", "other": b"3"})
    store, _ = open_store(box.fields())
    assert [(entry.key, entry.size) for entry in store.list("set")] == [("set/a", 1)]
    assert [entry.key for entry in store.list("")] == ["other", "set/a", "set2/b"]


def test_folder_markers_are_not_listed(box: Box) -> None:
    box.put_all({"set/empty/": b"", "set/file": b"", "set/full/": b"", "set/full/a": b"a"})
    store, _ = open_store(box.fields())
    assert [entry.key for entry in store.list("set")] == ["set/file", "set/full/a"]
    assert store.stat("set/empty") is None


@pytest.mark.parametrize("key", ["..", "data/..", "./data", "a//b", "a\nb"])
def test_unsupported_keys_are_rejected(box: Box, key: str) -> None:
    store, _ = open_store(box.fields())
    for operation in (lambda: store.stat(key), lambda: list(store.list(key)), lambda: send(store, b"a", key)):
        with pytest.raises(UserError, match="is not supported"):
            operation()


@pytest.mark.parametrize("key", ["data//x", "data/../x"])
def test_listed_object_with_unsupported_key_is_named(bucket: Bucket, key: str) -> None:
    bucket.put_all({key: b"1", "data/y": b"2"})
    store, _ = open_store(bucket.fields())
    with pytest.raises(UserError, match=r"the key 's3://.*/" + key.replace(".", r"\.") + "' cannot become a file path"):
        list(store.list("data"))


def test_missing_bucket(box: Box) -> None:
    store, _ = open_store(box.elsewhere())
    assert store.stat("a") is None
    with pytest.raises(UserError, match=r"cannot list .*not-there/data/: the (bucket|container) does not exist"):
        list(store.list("data"))
    with pytest.raises(UserError, match=r"cannot upload .*not-there/a: the (bucket|container) does not exist"):
        send(store, b"a", "a")
    with pytest.raises(UserError, match=r"cannot download .*not-there/a: the (bucket|container) does not exist"):
        list(store.read(StoredObject("a", 1, 0)))


def test_missing_object(box: Box) -> None:
    store, _ = open_store(box.fields())
    assert store.stat("a") is None
    with pytest.raises(UserError, match=r"cannot download .*/a: the object does not exist"):
        list(store.read(StoredObject("a", 1, 0)))


def test_read_reports_a_changed_object(box: Box) -> None:
    box.put_all({"a.csv": b"content"})
    store, _ = open_store(box.fields())
    entry = store.stat("a.csv")
    assert entry
    box.put_all({"a.csv": b"CONTENT"})
    with pytest.raises(ServiceFault, match=r"a\.csv was changed during the download"):
        list(store.read(entry))


def test_proxy_from_the_environment(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    box.put_all({f"names/{name}": name.encode() for name in ("a b", "München/東京", "#?%20+&=;")})
    direct = list(open_store(box.fields())[0].list("names"))
    with counted(box.endpoint) as (proxy, requests):
        monkeypatch.setenv("HTTP_PROXY", proxy)
        monkeypatch.setenv("NO_PROXY", "")
        store, _ = open_store(box.fields())
        assert list(store.list("names")) == direct
        assert [b"".join(store.read(entry)).decode() for entry in direct] == [entry.key[6:] for entry in direct]
        assert len(requests) == 4
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        assert list(open_store(box.fields())[0].list("names")) == direct
        assert len(requests) == 4


def test_concurrent_requests(box: Box) -> None:
    box.put_all({f"many/{number}": bytes(number) for number in range(20)})
    store, _ = open_store(box.fields())
    with ThreadPoolExecutor(8) as pool:
        sizes = list(pool.map(lambda number: store.stat(f"many/{number}").size, list(range(20)) * 5))  # type: ignore[union-attr]
        lists = list(pool.map(lambda _: len(list(store.list("many"))), range(20)))
    assert sizes == list(range(20)) * 5
    assert lists == [20] * 20


def test_upload_replaces_the_object(box: Box) -> None:
    store, path = open_store(box.fields("models/out"))
    for size in (17_000_000, 0, 5):
        send(store, content := os.urandom(size), f"{path}/model.zip")
        assert box.get("models/out/model.zip") == content
        entry = store.stat("models/out/model.zip")
        assert entry and entry.size == size


@pytest.mark.parametrize("size", [5, 20_000_000], ids=["small", "in-parts"])
@pytest.mark.parametrize(
    "error", [ServiceFault("the disk is failing"), FileNotFoundError("gone"), ValueError("no zip")], ids=type
)
def test_failing_content_leaves_the_old_object(box: Box, size: int, error: Exception) -> None:
    box.put_all({"model.zip": b"old"})
    store, _ = open_store(box.fields())

    def fail() -> None:
        raise error

    with pytest.raises(type(error)) as raised:
        send(store, os.urandom(size), "model.zip", AtByte(size, fail))
    assert raised.value is error
    assert box.get("model.zip") == b"old"


@pytest.mark.parametrize("size", [5, 20_000_000], ids=["small", "in-parts"])
def test_stopped_upload_leaves_the_old_object(box: Box, size: int) -> None:
    box.put_all({"model.zip": b"old"})
    store, _ = open_store(box.fields())
    stopped = threading.Event()

    def chunks() -> Iterator[bytes]:
        yield os.urandom(size)
        stopped.set()
        yield b"more"

    with pytest.raises(TransferStopped):
        store.upload(chunks(), "model.zip", size + 4, "test", stopped)
    assert box.get("model.zip") == b"old"


@pytest.mark.usefixtures("few_retries")
def test_upload_to_a_killed_server_leaves_the_old_object_and_can_be_repeated(killable: KillableBox) -> None:
    killable.put_all({"model.zip": b"old"})
    content = os.urandom(LARGE)
    store, _ = open_store(killable.box.fields())
    with pytest.raises(ServiceFault, match=r"cannot upload .*model\.zip: connection to .* failed"):
        send(store, content, "model.zip", AtByte(25_000_000, killable.server.kill))
    killable.server.start()
    assert killable.box.get("model.zip") == b"old"
    send(store, content, "model.zip")
    assert killable.box.get("model.zip") == content


@pytest.mark.usefixtures("few_retries")
def test_failed_upload_reads_no_more_content(killable: KillableBox) -> None:
    store, _ = open_store(killable.box.fields())
    counter = AtByte(25_000_000, killable.server.kill)
    with pytest.raises(ServiceFault, match="cannot upload"):
        send(store, bytes(400_000_000), "model.zip", counter)
    assert counter.moved < 200_000_000


def test_upload_survives_a_server_restart_or_can_be_repeated(killable: KillableBox) -> None:
    """These servers forget the parts of an upload when they are killed, unlike the clouds."""
    killable.put_all({"model.zip": b"old"})
    content = os.urandom(LARGE)
    store, _ = open_store(killable.box.fields())
    restart = AtByte(25_000_000, killable.kill_and_start)
    try:
        send(store, content, "model.zip", restart)
    except ServiceFault:
        assert killable.box.get("model.zip") == b"old"
        send(store, content, "model.zip")
    assert restart.acted
    assert killable.box.get("model.zip") == content


FIELDS = {
    "s3": {"type": "s3", "uri": "s3://b", "keyID": "k", "keySecret": "s", "region": "us-east-1"},
    "azure": {"type": "azureblob", "uri": "https://a.blob.core.windows.net/b", "keySecret": "c2VjcmV0c2VjcmV0c2VjcmV0"},
    "gcs": {"type": "gcs", "uri": "gs://b"},
}


@pytest.mark.parametrize("kind", FIELDS)
@pytest.mark.parametrize("status", [429, 500, 503])
def test_temporary_failure_is_a_service_fault(kind: str, status: int) -> None:
    with answering(Answer(status)) as server:
        store, _ = open_store({**FIELDS[kind], "endpoint": server.address})
        with pytest.raises(ServiceFault, match=f"cannot list .*: the server answered {status}"):
            list(store.list(""))


@pytest.mark.parametrize("kind", FIELDS)
def test_unreachable_server_is_a_service_fault(kind: str) -> None:
    with answering(Answer(200)) as server:
        pass
    store, _ = open_store({**FIELDS[kind], "endpoint": server.address})
    with pytest.raises(ServiceFault, match=r"cannot read .*/a: connection to .* failed \(ConnectionRefused\)"):
        store.stat("a")


def test_settings_of_the_environment_do_not_override_the_connection(
    bucket: Bucket, container: Container, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AZURE_STORAGE_ENDPOINT"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    for name in ("AWS_SESSION_TOKEN", "AWS_SKIP_SIGNATURE", "AZURE_STORAGE_USE_EMULATOR", "AZURE_SKIP_SIGNATURE"):
        monkeypatch.setenv(name, "true")
    for box in (bucket, container):
        box.put_all({"a": b"1"})
        assert [entry.key for entry in open_store(box.fields())[0].list("")] == ["a"]
