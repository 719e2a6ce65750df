"""A folder as an object store."""

from __future__ import annotations

from pathlib import Path

import pytest

from odahu_argo.errors import UserError
from odahu_argo.storage.files import FileStore
from tests.unit.storage.conftest import send


def moved(count: int) -> None:
    pass


def test_what_was_uploaded_is_listed_and_read_again(tmp_path: Path) -> None:
    store = FileStore.at(str(tmp_path / "store"))
    send(store, b"content", "models/wine.zip")
    assert [(entry.key, entry.size) for entry in store.list("models/")] == [("models/wine.zip", 7)]
    assert store.stat("models/wine.zip") is not None
    store.download("models/wine.zip", tmp_path / "b", moved)
    assert (tmp_path / "b").read_bytes() == b"content"


def test_an_unfinished_upload_is_not_listed(tmp_path: Path) -> None:
    (tmp_path / ".wine.zip.partial").write_bytes(b"half")
    assert list(FileStore.at(str(tmp_path)).list("")) == []


@pytest.mark.parametrize("key", ["../secret", "a/../../secret"])
def test_a_key_cannot_leave_the_folder(tmp_path: Path, key: str) -> None:
    (tmp_path / "secret").write_text("x")
    (tmp_path / "store").mkdir()
    store = FileStore.at(str(tmp_path / "store"))
    with pytest.raises(UserError, match="leaves the folder"):
        store.stat(key)
    with pytest.raises(UserError, match="leaves the folder"):
        send(store, b"new", key)


def test_a_missing_folder_is_told(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="there is no folder"):
        list(FileStore.at(str(tmp_path / "nothing")).list(""))
