"""Upload and download of a 1 GiB object with each storage protocol. Run by `make test-large`."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from odahu_argo.contract import DownloadSpec
from tests.servers.azure import lasting_azure
from tests.servers.gcs import lasting_gcs
from tests.servers.measured import MAX_TRANSFER_MEMORY, TransferMeasurement, measure_download, measure_upload
from tests.servers.s3 import lasting_s3
from tests.servers.step_runner import StepRunner

pytestmark = [pytest.mark.large, pytest.mark.timeout(1200)]

BLOCK_SIZE = 8 * 1024 * 1024
BLOCK_COUNT = 128


@pytest.mark.parametrize("start_store", [lasting_s3, lasting_azure, lasting_gcs], ids=["s3", "azure", "gcs"])
def test_round_trip_of_one_gigabyte(
    step_runner: StepRunner, tmp_path: Path, start_store, capsys: pytest.CaptureFixture[str]
) -> None:
    source = tmp_path / "source.bin"
    with source.open("wb") as writer:
        for _ in range(BLOCK_COUNT):
            writer.write(os.urandom(BLOCK_SIZE))
    step_runner.repository.mkdir()
    with start_store(tmp_path / "server") as (bucket, _):
        upload = measure_upload(bucket.fields(), source, "large.bin")
        step_runner.connect("data", bucket.fields("large.bin"))
        download = measure_download(step_runner, DownloadSpec("data", "in/"))
    with capsys.disabled():
        print(f"\n{bucket.fields()['type']}: upload {summary(upload)}; download {summary(download)}")
    assert digest(step_runner.repository / "in/large.bin") == digest(source)
    assert max(upload.peak_bytes, download.peak_bytes) < MAX_TRANSFER_MEMORY


def summary(measurement: TransferMeasurement) -> str:
    return f"{measurement.seconds:.1f} s, peak memory {measurement.peak_bytes / 1024 / 1024:.0f} MiB"


def digest(file: Path) -> str:
    with file.open("rb") as reader:
        return hashlib.file_digest(reader, "sha256").hexdigest()
