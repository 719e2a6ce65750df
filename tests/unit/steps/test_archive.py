"""Archives: reproducible, without links to the outside, and readable by other programs."""

from __future__ import annotations

import gzip
import os
import random
import subprocess
import zipfile
from pathlib import Path

import pytest

from odahu_argo.contract import TAR, ZIP
from odahu_argo.errors import ServiceFault, UserError
from odahu_argo.steps.archive import archive_chunks, list_entries, max_archive_size
from tests.archives import read_tar
from tests.servers.programs import require_program

FORMATS = [TAR, ZIP]


def write_archive(folder: Path, form: str, target: Path) -> None:
    entries = list_entries(folder)
    made = b"".join(archive_chunks(entries, form, lambda count: None))
    assert len(made) <= max_archive_size(entries)
    target.write_bytes(made)


def read_archive(archive: Path, form: str) -> dict[str, bytes]:
    """Return the content of each file, as Python reads it."""
    if form == ZIP:
        with zipfile.ZipFile(archive) as opened:
            assert opened.testzip() is None
            return {name: opened.read(name) for name in opened.namelist()}
    return read_tar(archive)


@pytest.mark.parametrize("form", FORMATS)
def test_archive_does_not_depend_on_times_and_order(tmp_path: Path, form: str) -> None:
    for name, order in (("one", "abc"), ("two", "cab")):
        (tmp_path / name / "sub").mkdir(parents=True)
        for letter in order:
            (tmp_path / name / "sub" / letter).write_text(letter)
    (tmp_path / "two/sub/a").chmod(0o600)
    (tmp_path / "two/sub").chmod(0o700)
    os.utime(tmp_path / "two/sub/b", (0, 0))
    for name in ("one", "two"):
        write_archive(tmp_path / name, form, tmp_path / f"{name}.zip")
    assert (tmp_path / "one.zip").read_bytes() == (tmp_path / "two.zip").read_bytes()


@pytest.mark.parametrize("form", FORMATS)
def test_link_inside_becomes_file(tmp_path: Path, form: str) -> None:
    (tmp_path / "content").mkdir()
    (tmp_path / "content/a").write_text("a")
    (tmp_path / "content/b").symlink_to("a")
    write_archive(tmp_path / "content", form, tmp_path / "x.zip")
    assert read_archive(tmp_path / "x.zip", form) == {"a": b"a", "b": b"a"}


@pytest.mark.parametrize("target", ["/etc/passwd", "../secret", "nowhere", "/etc"])
def test_rejects_link_to_outside(tmp_path: Path, target: str) -> None:
    (tmp_path / "secret").write_text("s")
    (tmp_path / "content").mkdir()
    (tmp_path / "content/b").symlink_to(target)
    with pytest.raises(UserError, match="symbolic link"):
        write_archive(tmp_path / "content", TAR, tmp_path / "x.zip")


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("size", [0, 1, 512, 1024 * 1024, 40 * 1024 * 1024 + 1])
def test_round_trip_of_file_sizes(tmp_path: Path, size: int, form: str) -> None:
    (tmp_path / "content").mkdir()
    (tmp_path / "content/München 東京").write_bytes(content := random.Random(size).randbytes(size))
    (tmp_path / "content/zeros").write_bytes(bytes(size))
    write_archive(tmp_path / "content", form, tmp_path / "x.zip")
    assert read_archive(tmp_path / "x.zip", form) == {"München 東京": content, "zeros": bytes(size)}
    write_archive(tmp_path / "content", form, tmp_path / "again.zip")
    assert (tmp_path / "again.zip").read_bytes() == (tmp_path / "x.zip").read_bytes()


def test_unzip_and_funzip_read_the_zip(tmp_path: Path) -> None:
    """`unzip` uses the central directory; `funzip` reads the stream, in which sizes follow the content."""
    (tmp_path / "content").mkdir()
    (tmp_path / "content/a").write_bytes(content := random.Random(1).randbytes(3_000_000))
    write_archive(tmp_path / "content", ZIP, tmp_path / "x.zip")
    subprocess.run([require_program("unzip"), "-tq", tmp_path / "x.zip"], check=True)
    streamed = subprocess.run([require_program("funzip"), tmp_path / "x.zip"], check=True, capture_output=True).stdout
    assert streamed == content


def test_tar_extracts_like_an_archive_of_odahu(tmp_path: Path) -> None:
    """ODAHU packs with `tar -c .` and unpacks with `tar -xvf FILE -C .` in the target directory."""
    deep = tmp_path / "content" / ("long-" * 20) / ("name-" * 20)
    deep.mkdir(parents=True)
    (tmp_path / "content/empty").mkdir()
    (tmp_path / "content/odahuflow.project.yaml").write_text("model: {}\n")
    (deep / "run.sh").write_text("#!/bin/sh\n")
    (deep / "run.sh").chmod(0o700)
    (tmp_path / "target").mkdir(mode=0o700)
    write_archive(tmp_path / "content", TAR, tmp_path / "wine-1.0.zip")

    unpack = [require_program("tar"), "-xvf", tmp_path / "wine-1.0.zip", "-C", "."]
    unpacked = subprocess.run(unpack, cwd=tmp_path / "target", check=True, capture_output=True, text=True)
    assert unpacked.stderr == ""
    listed = subprocess.run(["find", "-mindepth", "1"], cwd=tmp_path / "content", capture_output=True, text=True).stdout
    assert {name.rstrip("/") for name in unpacked.stdout.splitlines()} == set(listed.splitlines())
    [script] = (tmp_path / "target").rglob("run.sh")
    assert script.stat().st_mode & 0o777 == 0o755
    assert (tmp_path / "target/odahuflow.project.yaml").stat().st_mode & 0o777 == 0o644
    assert (tmp_path / "target").stat().st_mode & 0o777 == 0o700


def test_tar_is_one_gzip_member(tmp_path: Path) -> None:
    """Some readers ignore further members."""
    (tmp_path / "content").mkdir()
    (tmp_path / "content/a").write_bytes(random.Random(1).randbytes(3_000_000))
    write_archive(tmp_path / "content", TAR, tmp_path / "x.zip")
    subprocess.run([require_program("gzip"), "--test", "--suffix", ".zip", tmp_path / "x.zip"], check=True)
    assert gzip.decompress((tmp_path / "x.zip").read_bytes())[:9] == b"./a" + bytes(6)
    assert (tmp_path / "x.zip").read_bytes().count(b"\x1f\x8b\x08\x00\x00\x00\x00\x00") == 1


@pytest.mark.parametrize("change", [b"", b"longer than before"])
def test_file_that_changes_while_it_is_packed_is_a_fault(tmp_path: Path, change: bytes) -> None:
    (tmp_path / "a").write_bytes(b"before")
    entries = list_entries(tmp_path)
    (tmp_path / "a").write_bytes(change)
    with pytest.raises(ServiceFault, match="a of the model changed while it was packed"):
        b"".join(archive_chunks(entries, TAR, lambda count: None))
