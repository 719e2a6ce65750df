"""Rows about transfers: 2,000 small objects and a large one, from and to local S3 and Azure servers."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from odahu_argo import __version__
from odahu_argo.contract import DownloadSpec, Workspace
from tests.bench.bench import Bench
from tests.bench.figures import OURS, Bar, Row
from tests.bench.measure import Contender, put_aside
from tests.bench.peers import AZURE_SDK, BOTO3, OUR_BIN, RCLONE, S5CMD, SCRIPTS, Peer, versitygw
from tests.servers.azure import ACCOUNT, KEY, lasting_azure
from tests.servers.s3 import KEY_ID, KEY_SECRET, Bucket, lasting_s3, versitygw_s3
from tests.servers.step_runner import StepRunner

Makers = dict[str, Callable[[], Contender]]
SMALL, LARGE = 10_000, 2**30
S3_KEYS = {"AWS_ACCESS_KEY_ID": KEY_ID, "AWS_SECRET_ACCESS_KEY": KEY_SECRET, "AWS_REGION": "eu-central-1"}
S3_KEYS |= {"AWS_DEFAULT_REGION": "eu-central-1", "AWS_EC2_METADATA_DISABLED": "true"}
S5CMD_VERSION = "2.3.0"


@dataclass(frozen=True)
class Load:
    """Content of the bucket: `count` objects of `size` bytes."""

    count: int
    size: int

    def put(self, box: Any, folder: Path) -> None:
        if self.count == 1:
            file = write_random(folder / "large.bin", self.size)
            box.put_file("large.bin", file)
            file.unlink()
        else:
            box.put_all({f"part-{number:05}.bin": os.urandom(self.size) for number in range(self.count)})

    def clear(self, folder: Path) -> None:
        if self.count > 1:
            put_aside(folder)
        else:
            shutil.rmtree(folder, ignore_errors=True)

    def require(self, folder: Path) -> None:
        sizes = [file.stat().st_size for file in folder.rglob("*") if file.is_file()]
        assert sizes == [self.size] * self.count, f"{len(sizes)} files of {sum(sizes)} bytes"


def download_small(store: str, bar: Bar, bench: Bench) -> Row:
    """Download 2,000 objects of 10 kB."""
    load = Load(bench.size(2000, 10), SMALL)
    with _PEERS[store](bench, load) as makers:
        measured = bench.race(makers, 5)
    return Row(f"{store}-small", f"download {load.count:,} objects of 10 kB from {store}", bar, *measured)


def download_large(store: str, bar: Bar, bench: Bench) -> Row:
    """Download one object of 1 GiB."""
    with _PEERS[store](bench, Load(1, bench.size(LARGE, 2**22))) as makers:
        measured = bench.race(makers, 5, warm=False)
    return Row(f"{store}-large", f"download one 1 GiB object from {store}", bar, *measured)


def upload(bench: Bench) -> Row:
    """Upload one file of 1 GiB. The step `package` uploads its zip with the same function."""
    file = write_random(bench.folder / "large.bin", bench.size(LARGE, 2**24))
    with versitygw_s3(versitygw(), bench.folder / "server") as bucket:
        makers = {
            OURS: partial(_our_upload, bucket, file),
            "s5cmd": partial(_s5cmd_upload, bucket, file),
            "boto3": partial(_boto3_upload, bucket, file),
        }
        measured = bench.race(makers, 5, warm=False)
    bar = Bar("faster than boto3, memory under 64 MiB", 1.0, rival="boto3", memory=64)
    return Row("upload", "upload one 1 GiB file to versitygw", bar, *measured)


def write_random(file: Path, size: int) -> Path:
    with file.open("wb") as writer:
        for _ in range(size // 2**20):
            writer.write(os.urandom(2**20))
    return file


def ours(folder: Path, fields: Mapping[str, str], load: Load) -> Contender:
    """The step `download` as a pod runs it, with its workspace in `folder`."""
    step_runner = StepRunner(Workspace(folder / "workspace", folder / "connections", folder / "message"))
    step_runner.workspace.root.mkdir(parents=True)
    step_runner.connect("data", fields)
    spec = DownloadSpec("data", "in/")
    target = step_runner.repository / "in"

    def before() -> None:
        step_runner.remove_markers()
        load.clear(step_runner.repository)
        step_runner.repository.mkdir()

    environment = {
        name: value for name, value in step_runner.environment(spec).items() if name.startswith("ODAHU_ARGO")
    }
    command = step_runner.command(spec)
    return Contender(OURS, command, __version__, environment, before=before, after=partial(load.require, target))


def peer(load: Load, name: str, version: str, environment: Mapping[str, str], *command: str) -> Contender:
    """A program whose last argument is the target directory."""
    target = Path(command[-1])
    before = partial(load.clear, target)
    return Contender(name, command, version, environment, before=before, after=partial(load.require, target))


def _by_rclone(load: Load, remote: str, target: str, environment: Mapping[str, str]) -> Contender:
    command = [RCLONE.program("rclone"), "--config", os.devnull, "-q", "copy", "--transfers", "16", remote, target]
    return peer(load, RCLONE.name, RCLONE.version, environment, *command)


def _by_library(load: Load, library: Peer, script: str, environment: Mapping[str, str], *arguments: str) -> Contender:
    command = [library.program("python"), str(SCRIPTS / script), *arguments]
    return peer(load, library.name, library.version, environment, *command)


@contextmanager
def _rclone_s3(bench: Bench, load: Load) -> Iterator[Makers]:
    with lasting_s3(bench.folder / "server") as (bucket, _):
        yield _s3_downloads(bench, load, bucket)


@contextmanager
def _versitygw_s3(bench: Bench, load: Load) -> Iterator[Makers]:
    with versitygw_s3(versitygw(), bench.folder / "server") as bucket:
        yield _s3_downloads(bench, load, bucket)


def _s3_downloads(bench: Bench, load: Load, bucket: Bucket) -> Makers:
    target = str(bench.folder / "peer" / "in")
    load.put(bucket, bench.folder)

    def s5cmd() -> Contender:
        command = [*s5cmd_command(bucket), "cp", f"s3://{bucket.name}/*", f"{target}/"]
        return peer(load, "s5cmd", S5CMD_VERSION, S3_KEYS, *command)

    def by_rclone() -> Contender:
        remote = f":s3,provider=Other,region=eu-central-1,endpoint='{bucket.endpoint}',env_auth=true:{bucket.name}"
        return _by_rclone(load, remote, target, S3_KEYS)

    def boto3() -> Contender:
        return _by_library(load, BOTO3, "boto3_download.py", S3_KEYS, bucket.endpoint, bucket.name, target)

    return {
        OURS: partial(ours, bench.folder / "step", bucket.fields(), load),
        "s5cmd": s5cmd,
        "rclone": by_rclone,
        "boto3": boto3,
    }


@contextmanager
def _azure(bench: Bench, load: Load) -> Iterator[Makers]:
    target = str(bench.folder / "peer" / "in")
    with lasting_azure(bench.folder / "server") as (container, _):
        load.put(container, bench.folder)

        def sdk() -> Contender:
            account = f"AccountName={ACCOUNT};AccountKey={KEY};BlobEndpoint={container.endpoint}"
            text = f"DefaultEndpointsProtocol=http;{account}"
            return _by_library(load, AZURE_SDK, "azure_download.py", {}, text, container.name, target)

        def by_rclone() -> Contender:
            environment = {"RCLONE_AZUREBLOB_ACCOUNT": ACCOUNT, "RCLONE_AZUREBLOB_KEY": KEY}
            environment["RCLONE_AZUREBLOB_ENDPOINT"] = container.endpoint
            return _by_rclone(load, f":azureblob:{container.name}", target, environment)

        yield {
            OURS: partial(ours, bench.folder / "step", container.fields(), load),
            "azure-storage-blob": sdk,
            "rclone": by_rclone,
        }


_PEERS = {"s3-rclone": _rclone_s3, "s3-versitygw": _versitygw_s3, "azure": _azure}


def _our_upload(bucket: Bucket, file: Path) -> Contender:
    """Call the function that uploads the zip in the step `package`."""
    command = [
        str(OUR_BIN / "python"),
        str(SCRIPTS / "our_upload.py"),
        json.dumps(bucket.fields()),
        str(file),
        "ours.bin",
    ]
    return _upload(bucket, OURS, __version__, "ours.bin", file, command)


def _s5cmd_upload(bucket: Bucket, file: Path) -> Contender:
    command = [*s5cmd_command(bucket), "cp", str(file), bucket.url("s5cmd.bin")]
    return _upload(bucket, "s5cmd", S5CMD_VERSION, "s5cmd.bin", file, command)


def _boto3_upload(bucket: Bucket, file: Path) -> Contender:
    script = [BOTO3.program("python"), str(SCRIPTS / "boto3_upload.py")]
    command = [*script, bucket.endpoint, bucket.name, str(file), "boto3.bin"]
    return _upload(bucket, BOTO3.name, BOTO3.version, "boto3.bin", file, command)


def _upload(bucket: Bucket, name: str, version: str, key: str, file: Path, command: Sequence[str]) -> Contender:
    """A program that uploads the file as `key`, which does not exist before each run."""

    def before() -> None:
        bucket.client.delete_object(Bucket=bucket.name, Key=key)

    def after() -> None:
        size = bucket.client.head_object(Bucket=bucket.name, Key=key)["ContentLength"]
        assert size == file.stat().st_size, f"{key} has {size} bytes"

    return Contender(name, command, version, S3_KEYS, before=before, after=after)


def s5cmd_command(bucket: Bucket) -> list[str]:
    """The s5cmd binary, without its Python wrapper, with the bucket's endpoint."""
    [program] = Path(S5CMD.program("python")).parents[1].glob("lib/*/site-packages/s5cmd/bin/s5cmd")
    return [str(program), "--endpoint-url", bucket.endpoint]
