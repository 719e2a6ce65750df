"""Rows about downloads: 2,000 small objects and a large one, from local S3 and Azure servers."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Mapping
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
from tests.bench.peers import AZURE_SDK, BOTO3, OUR_BIN, RCLONE, S5CMD, SCRIPTS, Peer
from tests.servers.azure import ACCOUNT, KEY, lasting_azure
from tests.servers.s3 import KEY_ID, KEY_SECRET, lasting_s3, versitygw_s3
from tests.servers.step_runner import StepRunner

Makers = dict[str, Callable[[], Contender]]
SMALL, LARGE = 10_000, 2**30
_PIECE = 2**24
_PYTHON = str(OUR_BIN / "python")
S3_KEYS = {"AWS_ACCESS_KEY_ID": KEY_ID, "AWS_SECRET_ACCESS_KEY": KEY_SECRET, "AWS_REGION": "eu-central-1"}
S3_KEYS |= {"AWS_DEFAULT_REGION": "eu-central-1", "AWS_EC2_METADATA_DISABLED": "true"}
FLOOR, FLOOR_TO_A_FILE = "raw sockets", "raw sockets, to a file"


@dataclass(frozen=True)
class Load:
    """Content of the bucket: `count` objects of `size` bytes."""

    count: int
    size: int

    def put(self, box: Any, folder: Path) -> None:
        if self.count == 1:
            file = folder / "large.bin"
            with file.open("wb") as writer:
                for _ in range(self.size // 2**20):
                    writer.write(os.urandom(2**20))
            box.put_file("large.bin", file)
            file.unlink()
        else:
            box.put_all({f"part-{number:05}.bin": os.urandom(self.size) for number in range(self.count)})

    def pieces(self) -> list[str]:
        """HTTP ranges that cover an object."""
        begins = range(0, self.size, _PIECE)
        return [f"{begin}-{min(begin + _PIECE, self.size) - 1}" for begin in begins]

    def clear(self, folder: Path) -> None:
        if self.count > 1:
            put_aside(folder)
        else:
            shutil.rmtree(folder, ignore_errors=True)

    def require(self, folder: Path) -> None:
        sizes = [file.stat().st_size for file in folder.rglob("*") if file.is_file()]
        assert sizes == [self.size] * self.count, f"{len(sizes)} files of {sum(sizes)} bytes"


def of(store: str, is_large: bool, bench: Bench) -> Row:
    """Measure one store with one load."""
    load = Load(1, bench.size(LARGE, 2**22)) if is_large else Load(bench.size(2000, 10), SMALL)
    with _PEERS[store](bench, load) as makers:
        samples, versions, absent = bench.race(makers, 5, warm=not is_large)
    what = "one 1 GiB object" if is_large else f"{load.count:,} objects of 10 kB"
    bar, note = _BARS[store, is_large]
    return Row(f"{store}-{'large' if is_large else 'small'}", f"download {what} from {store}", bar, samples, versions, absent,
               apart=[FLOOR, FLOOR_TO_A_FILE], note=note)  # fmt: skip


_LIMIT = (
    "`raw sockets` reads the same objects from presigned URLs over 16 sockets, in ranges of up to 16 MiB, and discards them: "
    "the limit of the server on this machine. `to a file` also writes them."
)
_BARS: Mapping[tuple[str, bool], tuple[Bar, str]] = {
    ("s3", False): (Bar("at least as fast as s5cmd", 1.0, rival="s5cmd"), f"Server: `rclone serve s3`. {_LIMIT}"),
    ("s3", True): (
        Bar("at most 1.2 times s5cmd's time", 1.2, rival="s5cmd"),
        f"Server: `versitygw`, because `rclone serve s3` does not support range requests. {_LIMIT}",
    ),
    ("azure", False): (Bar("faster than all peers", 1.0), "Server: azurite."),
    ("azure", True): (Bar("faster than all peers", 1.0), "Server: azurite."),
}


def ours(folder: Path, fields: Mapping[str, str], load: Load) -> Contender:
    """The step `download` as a pod runs it, with its workspace in `folder`."""
    step_runner = StepRunner(Workspace(folder / "workspace", folder / "connections", folder / "message"))
    step_runner.workspace.root.mkdir(parents=True)
    step_runner.connect("data", fields)
    spec = DownloadSpec("data", "in/")
    target = step_runner.repository / "in"

    def before() -> None:
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
def _s3(bench: Bench, load: Load) -> Iterator[Makers]:
    target = str(bench.folder / "peer" / "in")
    serve = lasting_s3 if load.count > 1 else versitygw_s3
    with serve(bench.folder / "server") as (bucket, _):
        load.put(bucket, bench.folder)
        addresses = bench.folder / "addresses"
        sign = partial(bucket.client.generate_presigned_url, "get_object", ExpiresIn=7200)
        addresses.write_text(
            "\n".join(
                f"{sign(Params={'Bucket': bucket.name, 'Key': key})} {piece}"
                for key in all_keys(bucket)
                for piece in load.pieces()
            )
        )

        def s5cmd() -> Contender:
            command = [s5cmd_program(), "--endpoint-url", bucket.endpoint, "cp", f"s3://{bucket.name}/*", f"{target}/"]
            return peer(load, "s5cmd", "2.3.0", S3_KEYS, *command)

        def by_rclone() -> Contender:
            remote = f":s3,provider=Other,endpoint='{bucket.endpoint}',env_auth=true:{bucket.name}"
            return _by_rclone(load, remote, target, S3_KEYS)

        def boto3() -> Contender:
            return _by_library(load, BOTO3, "boto3_download.py", S3_KEYS, bucket.endpoint, bucket.name, target)

        def floor() -> Contender:
            return Contender(FLOOR, [_PYTHON, str(SCRIPTS / "raw_download.py"), str(addresses)])

        def floor_to_a_file() -> Contender:
            folder = bench.folder / "bare"
            command = [_PYTHON, str(SCRIPTS / "raw_download.py"), str(addresses), str(folder / "large.bin")]

            def before() -> None:
                load.clear(folder)
                folder.mkdir()

            return Contender(FLOOR_TO_A_FILE, command, before=before, after=partial(load.require, folder))

        first: Makers = {OURS: partial(ours, bench.folder / "step", bucket.fields(), load)}
        limits: Makers = {FLOOR: floor} if load.count > 1 else {FLOOR: floor, FLOOR_TO_A_FILE: floor_to_a_file}
        yield {**first, "s5cmd": s5cmd, "rclone": by_rclone, "boto3": boto3, **limits}


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


_PEERS = {"s3": _s3, "azure": _azure}


def s5cmd_program() -> str:
    """Path of the s5cmd binary, without its Python wrapper."""
    [program] = Path(S5CMD.program("python")).parents[1].glob("lib/*/site-packages/s5cmd/bin/s5cmd")
    return str(program)


def all_keys(bucket: Any) -> list[str]:
    pages = bucket.client.get_paginator("list_objects_v2").paginate(Bucket=bucket.name)
    return [entry["Key"] for page in pages for entry in page.get("Contents", [])]
