"""A model that ODAHU could not serve is refused before it is zipped, and zips depend on nothing but the content."""

from __future__ import annotations

import os
import random
import subprocess
import zipfile
from pathlib import Path

import pytest

from odahu_argo.errors import UserError
from odahu_argo.steps.archive import list_entries, max_zip_size, zip_chunks
from odahu_argo.steps.mlflow.model_binary import BinaryMetadata, build_binary
from tests.servers.programs import require_program

METADATA = BinaryMetadata("wine", "1.0", "mlflow", "a-run")
MLMODEL = "mlflow_version: 2.0.1\nflavors: {python_function: {env: conda.yaml}}\n"


def write_zip(folder: Path, target: Path) -> None:
    entries = list_entries(folder)
    made = b"".join(zip_chunks(entries, lambda count: None))
    assert len(made) <= max_zip_size(entries)
    target.write_bytes(made)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """What was fetched for a model of MLflow 1."""
    model = tmp_path / "content" / "odahuflow_model"
    model.mkdir(parents=True)
    (model / "MLmodel").write_text(MLMODEL)
    (model / "conda.yaml").write_text("dependencies: []\n")
    return tmp_path / "content"


def test_a_model_of_an_older_mlflow_is_taken(folder: Path) -> None:
    build_binary(folder, METADATA)
    assert "version: 2.0.1" in (folder / "odahuflow.project.yaml").read_text()


@pytest.mark.parametrize(
    ("mlmodel", "words"),
    [
        ("flavors: {crate: {version: 1}}", "lacks the flavor python_function"),
        ("flavors:", "lacks the flavor python_function"),
        ("flavors: [", "no readable MLmodel"),
        ("flavors: {python_function: {}}", "without its conda environment"),
        ("flavors: {python_function: {env: {conda: other.yaml}}}", "without its conda environment"),
    ],
)
def test_a_model_that_cannot_be_served_is_refused(folder: Path, mlmodel: str, words: str) -> None:
    (folder / "odahuflow_model" / "MLmodel").write_text(mlmodel)
    with pytest.raises(UserError, match=words):
        build_binary(folder, METADATA)


def test_times_modes_and_the_order_of_creation_do_not_change_the_zip(tmp_path: Path) -> None:
    for name, order in (("one", "abc"), ("two", "cab")):
        (tmp_path / name / "sub").mkdir(parents=True)
        for letter in order:
            (tmp_path / name / "sub" / letter).write_text(letter)
    (tmp_path / "two/sub/a").chmod(0o755)
    os.utime(tmp_path / "two/sub/b", (0, 0))
    for name in ("one", "two"):
        write_zip(tmp_path / name, tmp_path / f"{name}.zip")
    assert (tmp_path / "one.zip").read_bytes() == (tmp_path / "two.zip").read_bytes()


def test_a_link_within_the_model_becomes_the_file(tmp_path: Path) -> None:
    (tmp_path / "content").mkdir()
    (tmp_path / "content/a").write_text("a")
    (tmp_path / "content/b").symlink_to("a")
    write_zip(tmp_path / "content", tmp_path / "x.zip")
    with zipfile.ZipFile(tmp_path / "x.zip") as archive:
        assert archive.read("b") == b"a"


@pytest.mark.parametrize("target", ["/etc/passwd", "../secret", "nowhere", "/etc"])
def test_a_link_out_of_the_model_is_refused(tmp_path: Path, target: str) -> None:
    (tmp_path / "secret").write_text("s")
    (tmp_path / "content").mkdir()
    (tmp_path / "content/b").symlink_to(target)
    with pytest.raises(UserError, match="symbolic link"):
        write_zip(tmp_path / "content", tmp_path / "x.zip")


@pytest.mark.parametrize("size", [0, 1, 1024 * 1024, 40 * 1024 * 1024 + 1])
def test_files_of_every_size_come_out_as_they_went_in(tmp_path: Path, size: int) -> None:
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


def test_other_programs_unpack_the_zip(tmp_path: Path) -> None:
    """Info-ZIP goes by the directory at the end; `funzip` reads from the front, where the sizes are not told yet."""
    (tmp_path / "content").mkdir()
    (tmp_path / "content/a").write_bytes(content := random.Random(1).randbytes(3_000_000))
    write_zip(tmp_path / "content", tmp_path / "x.zip")
    subprocess.run([require_program("unzip"), "-tq", tmp_path / "x.zip"], check=True)
    streamed = subprocess.run([require_program("funzip"), tmp_path / "x.zip"], check=True, capture_output=True).stdout
    assert streamed == content
