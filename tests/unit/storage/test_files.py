"""A local folder as an object store."""

from __future__ import annotations

from pathlib import Path

import pytest

from odahu_argo.errors import UserError
from odahu_argo.storage.files import FileStore
from tests.unit.storage.conftest import send


def test_uploaded_file_is_listed_and_read(tmp_path: Path) -> None:
    store = FileStore.at(str(tmp_path / "store"))
    send(store, b"content", "models/wine.zip")
    assert [(entry.key, entry.size) for entry in store.list("models")] == [("models/wine.zip", 7)]
    entry = store.stat("models/wine.zip")
    assert entry and b"".join(store.read(entry)) == b"content"
    assert b"".join(store.read(entry, 2, 5)) == b"nte"


def test_unfinished_upload_is_not_listed(tmp_path: Path) -> None:
    (tmp_path / ".wine.zip.partial").write_bytes(b"half")
    assert list(FileStore.at(str(tmp_path)).list("")) == []


@pytest.mark.parametrize("key", ["../secret", "a/../../secret"])
def test_key_outside_of_the_folder(tmp_path: Path, key: str) -> None:
    (tmp_path / "secret").write_text("x")
    (tmp_path / "store").mkdir()
    store = FileStore.at(str(tmp_path / "store"))
    with pytest.raises(UserError, match="is outside of the folder"):
        store.stat(key)
    with pytest.raises(UserError, match="is outside of the folder"):
        send(store, b"new", key)


def test_missing_folder(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"the folder .* does not exist"):
        list(FileStore.at(str(tmp_path / "nothing")).list(""))
