"""The step `download`: ODAHU's rules for remotePath and localPath."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from odahu_argo.contract import DownloadSpec
from odahu_argo.errors import ServiceFault, UserError
from tests.servers.programs import free_port
from tests.servers.s3 import Bucket
from tests.servers.step_runner import StepRunner

OBJECTS = {
    "data/wine": b"the object",
    "data/wine/red.csv": b"red",
    "data/wine/deep/white.csv": b"white",
    "data/wine2/other.csv": b"other",
    "data/beer/": b"",
    "data/beer/ale.csv": b"ale",
    "top.csv": b"top",
}


@pytest.fixture
def data(bucket: Bucket) -> Bucket:
    bucket.put_all(OBJECTS)
    return bucket


def download(step_runner: StepRunner, fields: dict[str, str], local: str, remote: str = "") -> dict[str, bytes]:
    """Run the step and return all files of the repository by path."""
    step_runner.repository.mkdir(exist_ok=True)
    if not (step_runner.workspace.connections / "data").exists():
        step_runner.connect("data", fields)
    step_runner.run(DownloadSpec("data", local, remote))
    return {
        path.relative_to(step_runner.repository).as_posix(): path.read_bytes()
        for path in step_runner.repository.rglob("*")
        if path.is_file()
    }


@pytest.mark.parametrize(
    ("path", "remote", "local", "files"),
    [
        ("data/beer", "", "in/", {"in/ale.csv": b"ale"}),
        ("data/beer/", "", "in/", {"in/ale.csv": b"ale"}),
        ("data/beer", "data/wine/deep", "in/", {"in/white.csv": b"white"}),
        ("data/beer", "/data/wine/deep/", "in/", {"in/white.csv": b"white"}),
        ("data/beer", "top.csv", "in/", {"in/top.csv": b"top"}),
        ("", "top.csv", "in/new.csv", {"in/new.csv": b"top"}),
        ("top.csv", "", "new.csv", {"new.csv": b"top"}),
        ("", "/top.csv", "./", {"top.csv": b"top"}),
        ("", "top.csv/", "in/", {"in/top.csv": b"top"}),
        ("", "data/wine", "in/", {"in/wine": b"the object"}),
        ("", "data/wine", "in", {"in": b"the object"}),
        ("", "data/wine/", "in/", {"in/red.csv": b"red", "in/deep/white.csv": b"white"}),
        ("", "data/wine2", "./a/../in/", {"in/other.csv": b"other"}),
    ],
)
def test_maps_remote_paths_to_local_paths_as_odahu(
    step_runner: StepRunner, data: Bucket, path: str, remote: str, local: str, files: dict[str, bytes]
) -> None:
    assert download(step_runner, data.fields(path), local, remote) == files


def test_downloads_whole_bucket(step_runner: StepRunner, bucket: Bucket) -> None:
    bucket.put_all({"a.csv": b"a", "b/c.csv": b"c"})
    assert download(step_runner, bucket.fields(), "./") == {"a.csv": b"a", "b/c.csv": b"c"}


def test_remote_prefix_requires_local_directory(step_runner: StepRunner, data: Bucket) -> None:
    with pytest.raises(UserError, match=r"is a file, but .* is a folder") as raised:
        download(step_runner, data.fields(), "in", "data/beer")
    assert "'in/'" in str(raised.value)


@pytest.mark.parametrize("remote", ["nothing.csv", "data/win", "data/beer/ale.csv/more", "nothing/"])
def test_missing_object_is_user_error(step_runner: StepRunner, data: Bucket, remote: str) -> None:
    with pytest.raises(UserError, match=f"nothing exists at s3://{data.name}/{remote.strip('/')}"):
        download(step_runner, data.fields(), "in/", remote)


@pytest.mark.parametrize("local", ["../outside/", "/etc/", "in/../../x", "in\n/"])
def test_rejects_local_path_outside_repository(step_runner: StepRunner, data: Bucket, local: str) -> None:
    with pytest.raises(UserError, match="localPath"):
        download(step_runner, data.fields(), local, "data/beer")


def test_rejects_symbolic_link_to_outside(step_runner: StepRunner, data: Bucket, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    step_runner.repository.mkdir()
    (step_runner.repository / "in").mkdir()
    (step_runner.repository / "in" / "deep").symlink_to(outside)
    with pytest.raises(UserError, match="leaves the repository"):
        download(step_runner, data.fields(), "in/", "data/wine/")
    assert not list(outside.iterdir())


@pytest.mark.parametrize("key", ["bad/../../evil.csv", "bad//evil.csv", "bad/ev\til.csv", "bad/./evil.csv"])
def test_rejects_unsafe_key_before_copying(step_runner: StepRunner, data: Bucket, key: str) -> None:
    data.client.put_object(Bucket=data.name, Key=key, Body=b"x")
    data.client.put_object(Bucket=data.name, Key="bad/fine.csv", Body=b"x")
    with pytest.raises(UserError, match="cannot become a file path"):
        download(step_runner, data.fields(), "in/", "bad/")
    assert not (step_runner.repository / "in").exists()


def test_object_and_prefix_of_same_name_are_user_error(step_runner: StepRunner, data: Bucket) -> None:
    with pytest.raises(UserError, match="a file and a folder have the same name"):
        download(step_runner, data.fields(), "in/", "data/")


def test_downloads_many_objects(step_runner: StepRunner, bucket: Bucket) -> None:
    objects = {f"many/{number % 7}/{number}.bin": os.urandom(number * 10) for number in range(150)}
    bucket.put_all(objects)
    found = download(step_runner, bucket.fields("many"), "many/")
    assert found == objects


def test_downloads_large_object(step_runner: StepRunner, bucket: Bucket) -> None:
    content = os.urandom(20_000_000)
    bucket.put_all({"large.bin": content})
    assert download(step_runner, bucket.fields("large.bin"), "in/") == {"in/large.bin": content}


def test_second_attempt_skips_complete_files(step_runner: StepRunner, data: Bucket) -> None:
    download(step_runner, data.fields("data/wine/"), "in/")
    finished = step_runner.repository / "in/red.csv"
    inode = finished.stat().st_ino
    (step_runner.repository / "in/deep/white.csv").unlink()
    files = download(step_runner, data.fields(), "in/")
    assert files == {"in/red.csv": b"red", "in/deep/white.csv": b"white"}
    assert finished.stat().st_ino == inode


def test_replaces_file_of_same_size(step_runner: StepRunner, data: Bucket) -> None:
    step_runner.repository.mkdir()
    (step_runner.repository / "top.csv").write_bytes(b"old")
    assert download(step_runner, data.fields(), "./", "top.csv") == {"top.csv": b"top"}


def test_reports_progress_and_size(
    step_runner: StepRunner,
    data: Bucket,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("ARGO_PROGRESS_FILE", str(tmp_path / "progress"))
    download(step_runner, data.fields("data/wine/"), "in/")
    assert (tmp_path / "progress").read_text() == "100/100"
    log = capsys.readouterr().out
    assert "download: 2 files, 8 B" in log
    assert "download: done: 2 files, 8 bytes, " in log


def test_downloads_from_local_directory(step_runner: StepRunner, tmp_path: Path) -> None:
    (tmp_path / "store/data").mkdir(parents=True)
    (tmp_path / "store/data/x.csv").write_bytes(b"x")
    fields = {"type": "file", "uri": (tmp_path / "store").as_uri()}
    assert download(step_runner, fields, "in/", "data") == {"in/x.csv": b"x"}


def test_unreachable_store_is_service_fault(step_runner: StepRunner, data: Bucket) -> None:
    fields = {**data.fields(), "endpoint": f"http://127.0.0.1:{free_port()}"}
    with pytest.raises(ServiceFault, match="ConnectionRefused") as raised:
        download(step_runner, fields, "in/", "data")
    assert fields["keySecret"] not in str(raised.value)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"type": "gcs", "uri": "s3://bucket"}, "contains no Google Cloud Storage bucket"),
        ({"type": "git", "uri": "x"}, "not an object store"),
        ({"type": "s3", "uri": "bucket/path"}, "contains no S3 bucket"),
        ({"type": "s3", "uri": ""}, "has no URI"),
        ({"type": "s3", "uri": "s3://b", "keyID": "x"}, "keyID but no keySecret"),
        ({"type": "s3", "uri": "s3://Not A Bucket!"}, "Not A Bucket"),
        ({"type": "file", "uri": "file:///nothing/at/all"}, "the folder .* does not exist"),
    ],
)
def test_unusable_connection_is_user_error(step_runner: StepRunner, fields: dict[str, str], words: str) -> None:
    with pytest.raises(UserError, match=words):
        download(step_runner, fields, "in/", "data")
