"""Zip archives: reproducible, without links to the outside, and readable by other programs."""

from __future__ import annotations

import os
import random
import subprocess
import zipfile
from pathlib import Path

import pytest

from odahu_argo.errors import UserError
from odahu_argo.steps.archive import list_entries, max_zip_size, zip_chunks
from tests.servers.programs import require_program


def write_zip(folder: Path, target: Path) -> None:
    entries = list_entries(folder)
    made = b"".join(zip_chunks(entries, lambda count: None))
    assert len(made) <= max_zip_size(entries)
    target.write_bytes(made)


def test_zip_does_not_depend_on_times_and_modes(tmp_path: Path) -> None:
    for name, order in (("one", "abc"), ("two", "cab")):
        (tmp_path / name / "sub").mkdir(parents=True)
        for letter in order:
            (tmp_path / name / "sub" / letter).write_text(letter)
    (tmp_path / "two/sub/a").chmod(0o755)
    os.utime(tmp_path / "two/sub/b", (0, 0))
    for name in ("one", "two"):
        write_zip(tmp_path / name, tmp_path / f"{name}.zip")
    assert (tmp_path / "one.zip").read_bytes() == (tmp_path / "two.zip").read_bytes()


def test_link_inside_becomes_file(tmp_path: Path) -> None:
    (tmp_path / "content").mkdir()
    (tmp_path / "content/a").write_text("a")
    (tmp_path / "content/b").symlink_to("a")
    write_zip(tmp_path / "content", tmp_path / "x.zip")
    with zipfile.ZipFile(tmp_path / "x.zip") as archive:
        assert archive.read("b") == b"a"


@pytest.mark.parametrize("target", ["/etc/passwd", "../secret", "nowhere", "/etc"])
def test_rejects_link_to_outside(tmp_path: Path, target: str) -> None:
    (tmp_path / "secret").write_text("s")
    (tmp_path / "content").mkdir()
    (tmp_path / "content/b").symlink_to(target)
    with pytest.raises(UserError, match="symbolic link"):
        write_zip(tmp_path / "content", tmp_path / "x.zip")


@pytest.mark.parametrize("size", [0, 1, 1024 * 1024, 40 * 1024 * 1024 + 1])
def test_round_trip_of_file_sizes(tmp_path: Path, size: int) -> None:
    (tmp_path / "content").mkdir()
    (tmp_path / "content/München 東京").write_bytes(content := random.Random(size).randbytes(size))
    (tmp_path / "content/zeros").write_bytes(bytes(size))
    write_zip(tmp_path / "content", tmp_path / "x.zip")
    with zipfile.ZipFile(tmp_path / "x.zip") as archive:
        assert archive.testzip() is None
        assert archive.read("München 東京") == content
        assert archive.read("zeros") == bytes(size)
    write_zip(tmp_path / "content", tmp_path / "again.zip")
    assert (tmp_path / "again.zip").read_bytes() == (tmp_path / "x.zip").read_bytes()


def test_unzip_and_funzip_read_the_archive(tmp_path: Path) -> None:
    """`unzip` uses the central directory; `funzip` reads the stream, in which sizes follow the content."""
    (tmp_path / "content").mkdir()
    (tmp_path / "content/a").write_bytes(content := random.Random(1).randbytes(3_000_000))
    write_zip(tmp_path / "content", tmp_path / "x.zip")
    subprocess.run([require_program("unzip"), "-tq", tmp_path / "x.zip"], check=True)
    streamed = subprocess.run([require_program("funzip"), tmp_path / "x.zip"], check=True, capture_output=True).stdout
    assert streamed == content
