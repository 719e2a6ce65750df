"""Row about packaging: zip a 1 GiB model into a bucket."""

from __future__ import annotations

import shlex
import zipfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from odahu_argo import __version__
from odahu_argo.contract import ARTIFACT_NAME, RUN_ID, ZIP, PackageSpec, Workspace
from tests.bench.bench import Bench
from tests.bench.figures import OURS, Bar, Row
from tests.bench.measure import Contender
from tests.bench.peers import BOTO3, SCRIPTS, output_of, system
from tests.bench.rows_objects import S3_KEYS, s5cmd_command
from tests.servers.s3 import Bucket, lasting_s3
from tests.servers.step_runner import StepRunner

FLOOR = "upload alone"
_FILES = 16


def package(bench: Bench) -> Row:
    """Package normally distributed 32-bit floats, as in neural networks; deflate saves a tenth."""
    folder = bench.folder / "step"
    step_runner = StepRunner(Workspace(folder / "workspace", folder / "connections", folder / "message"))
    step_runner.workspace.output.mkdir(parents=True)
    step_runner.workspace.write_result(RUN_ID, "1" * 32)
    names = _write_weights(step_runner.workspace.output, bench.size(2**26, 2**16))
    with lasting_s3(bench.folder / "server") as (bucket, _):
        step_runner.connect("out", bucket.fields())
        makers: dict[str, Callable[[], Contender]] = {
            OURS: partial(_ours, step_runner, bucket, names),
            "zip, s5cmd": partial(_zip, bench, step_runner.workspace.output, bucket),
            "zipfile, boto3": partial(_zipfile, bench, step_runner.workspace.output, bucket),
            FLOOR: partial(_upload, step_runner.workspace.output, bucket),
        }
        samples, versions, absent = bench.race(makers, 3, warm=False)
    return Row(
        "package",
        "zip a 1 GiB model and upload it to S3",
        Bar("within 1/4 of the upload alone, memory under 300 MiB", 1.25, rival=FLOOR, memory=300),
        samples,
        versions,
        absent,
        apart=[FLOOR],
        note="16 files of 64 MiB with normally distributed 32-bit floats. `upload alone` uploads these files with s5cmd. "
        "Server: `rclone serve s3`.",
    )


def _write_weights(folder: Path, size: int) -> list[str]:
    import numpy

    for number in range(_FILES):
        drawn = numpy.random.default_rng(number).standard_normal(size // 4, dtype=numpy.float32) * numpy.float32(0.02)
        (folder / f"layer-{number:02}.bin").write_bytes(drawn.tobytes())
    return [f"layer-{number:02}.bin" for number in range(_FILES)]


def _ours(step_runner: StepRunner, bucket: Bucket, names: list[str]) -> Contender:
    """The step `package` as a pod runs it with `artifact_format: zip`, for a training that wrote its own output."""
    spec = PackageSpec("large", "large", "1.0", "own", "{{ .Name }}.zip", "out", {}, "mlflow-project", ZIP)
    environment = {
        name: value for name, value in step_runner.environment(spec).items() if name.startswith("ODAHU_ARGO")
    }

    def after() -> None:
        key = str(step_runner.workspace.read_result(ARTIFACT_NAME))
        _require(bucket, key, names)

    command = step_runner.command(spec)
    return Contender(OURS, command, __version__, environment, before=step_runner.remove_markers, after=after)


def _zip(bench: Bench, folder: Path, bucket: Bucket) -> Contender:
    archive = bench.folder / "peer.zip"
    zip_it = f"{system('zip')} -q -r {shlex.quote(str(archive))} ."
    send = shlex.join([*s5cmd_command(bucket), "cp", str(archive), bucket.url("zip.zip")])
    command = ["/bin/sh", "-ec", f"cd {shlex.quote(str(folder))}; {zip_it}; {send}"]
    number = output_of(system("zip"), "-v").split("This is Zip ")[1].split()[0]
    return Contender("zip, s5cmd", command, number, S3_KEYS, partial(archive.unlink, missing_ok=True))


def _zipfile(bench: Bench, folder: Path, bucket: Bucket) -> Contender:
    archive = bench.folder / "zipfile.zip"
    script = [BOTO3.program("python"), str(SCRIPTS / "zipfile_upload.py")]
    command = [*script, str(folder), str(archive), bucket.endpoint, bucket.name]
    return Contender("zipfile, boto3", command, BOTO3.version, S3_KEYS, partial(archive.unlink, missing_ok=True))


def _upload(folder: Path, bucket: Bucket) -> Contender:
    command = [*s5cmd_command(bucket), "cp", f"{folder}/", bucket.url("bare/")]
    return Contender(FLOOR, command, environment=S3_KEYS)


def _require(bucket: Bucket, key: str, names: list[str]) -> None:
    """Check that the zip is complete by reading the directory at its end."""
    with zipfile.ZipFile(_Remote(bucket, key)) as archive:  # type: ignore[arg-type]
        names_in_zip = set(archive.namelist())
    assert names_in_zip >= set(names), f"the zip contains {sorted(names_in_zip)}"


class _Remote:
    """Seekable file over an object that fetches only the requested ranges."""

    def __init__(self, bucket: Bucket, key: str) -> None:
        self._bucket, self._key, self._place = bucket, key, 0
        self._client: Any = bucket.client
        self._size: int = self._client.head_object(Bucket=bucket.name, Key=key)["ContentLength"]

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._place

    def seek(self, offset: int, whence: int = 0) -> int:
        self._place = (0, self._place, self._size)[whence] + offset
        return self._place

    def read(self, size: int = -1) -> bytes:
        end = self._size if size < 0 else min(self._size, self._place + size)
        if end <= self._place:
            return b""
        arguments = {"Bucket": self._bucket.name, "Key": self._key, "Range": f"bytes={self._place}-{end - 1}"}
        data: bytes = self._client.get_object(**arguments)["Body"].read()
        self._place += len(data)
        return data
