"""Measure time and peak memory of transfers, each in its own process. Linux only."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from odahu_argo.contract import DownloadSpec
from tests.servers.step_runner import StepRunner

MAX_TRANSFER_MEMORY = 150 * 1024 * 1024
"""Limit of a transfer's resident memory in bytes, independent of the size of the data."""
_DOWNLOAD = "from odahu_argo.steps.__main__ import main; code = main(['download'])"
_UPLOAD = """\
import json, os, pathlib
from odahu_argo.storage.factory import open_store
store, _ = open_store(json.loads(os.environ["FIELDS"]))
with pathlib.Path(os.environ["SOURCE"]).open("rb") as source:
    size = os.fstat(source.fileno()).st_size
    code = size - store.upload(iter(lambda: source.read(2**20), b""), os.environ["KEY"], size, owner="test")
"""
_REPORT_PEAK = """
import sys
sys.stderr.write("peak " + open("/proc/self/status").read().split("VmHWM:")[1].split()[0])
sys.exit(code)
"""


@dataclass(frozen=True)
class TransferMeasurement:
    """Duration and peak resident memory of a transfer."""

    seconds: float
    peak_bytes: int


def measure_download(step_runner: StepRunner, spec: DownloadSpec) -> TransferMeasurement:
    return _measure(_DOWNLOAD, step_runner.environment(spec))


def measure_upload(fields: Mapping[str, str], source: Path, key: str) -> TransferMeasurement:
    return _measure(_UPLOAD, {**os.environ, "FIELDS": json.dumps(fields), "SOURCE": str(source), "KEY": key})


def _measure(program: str, environment: Mapping[str, str]) -> TransferMeasurement:
    start = time.monotonic()
    command = [sys.executable, "-c", program + _REPORT_PEAK]
    result = subprocess.run(command, env=environment, capture_output=True, text=True)
    seconds = time.monotonic() - start
    if result.returncode != 0:
        raise RuntimeError(result.stdout + result.stderr)
    return TransferMeasurement(seconds, int(result.stderr.rpartition("peak ")[2]) * 1024)
