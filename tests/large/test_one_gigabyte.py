"""Upload and download of a 1 GiB object with each protocol. Run by `make test-large`."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from odahu_argo.contract import DownloadSpec
from tests.servers.azure import lasting_azure
from tests.servers.gcs import lasting_gcs
from tests.servers.measured import MOST_MEMORY, Measured, measured_download, measured_upload
from tests.servers.s3 import lasting_s3
from tests.servers.step_runner import StepRunner

pytestmark = [pytest.mark.large, pytest.mark.timeout(1200)]

BLOCK, BLOCKS = 8 * 1024 * 1024, 128


@pytest.mark.parametrize("lasting", [lasting_s3, lasting_azure, lasting_gcs], ids=["s3", "azure", "gcs"])
def test_round_trip_of_one_gigabyte(
    step_runner: StepRunner, tmp_path: Path, lasting, capsys: pytest.CaptureFixture[str]
) -> None:
    source = tmp_path / "source.bin"
    with source.open("wb") as writer:
        for _ in range(BLOCKS):
            writer.write(os.urandom(BLOCK))
    step_runner.repository.mkdir()
    with lasting(tmp_path / "server") as (box, _):
        up = measured_upload(box.fields(), source, "large.bin")
        step_runner.connect("data", box.fields("large.bin"))
        down = measured_download(step_runner, DownloadSpec("data", "in/"))
    with capsys.disabled():
        print(f"\n{box.fields()['type']}: upload {summary(up)}; download {summary(down)}")
    assert digest(step_runner.repository / "in/large.bin") == digest(source)
    assert max(up.peak, down.peak) < MOST_MEMORY


def summary(measured: Measured) -> str:
    return f"{measured.seconds:.1f} s, {measured.peak / 1024 / 1024:.0f} MiB at most"


def digest(file: Path) -> str:
    with file.open("rb") as reader:
        return hashlib.file_digest(reader, "sha256").hexdigest()
