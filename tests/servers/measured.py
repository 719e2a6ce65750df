"""A transfer as a process of its own, with its time and the most memory it took. Linux only."""

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

MOST_MEMORY = 150 * 1024 * 1024
"""Bytes that a transfer may take at most, whatever the size of the data."""
_DOWNLOAD = "from odahu_argo.steps.__main__ import main; code = main(['download'])"
_UPLOAD = """\
import json, os, pathlib
from odahu_argo.storage.factory import open_store
store, _ = open_store(json.loads(os.environ["FIELDS"]))
with pathlib.Path(os.environ["SOURCE"]).open("rb") as source:
    size = os.fstat(source.fileno()).st_size
    code = size - store.upload(iter(lambda: source.read(2**20), b""), os.environ["KEY"], size, owner="test")
"""
_THEN_PEAK = """
import sys
sys.stderr.write("peak " + open("/proc/self/status").read().split("VmHWM:")[1].split()[0])
sys.exit(code)
"""


@dataclass(frozen=True)
class Measured:
    seconds: float
    peak: int
    """Bytes of resident memory."""


def measured_download(step_runner: StepRunner, spec: DownloadSpec) -> Measured:
    return _measured(_DOWNLOAD, step_runner.environment(spec))


def measured_upload(fields: Mapping[str, str], source: Path, key: str) -> Measured:
    return _measured(_UPLOAD, {**os.environ, "FIELDS": json.dumps(fields), "SOURCE": str(source), "KEY": key})


def _measured(program: str, environment: Mapping[str, str]) -> Measured:
    began = time.monotonic()
    ended = subprocess.run(
        [sys.executable, "-c", program + _THEN_PEAK], env=environment, capture_output=True, text=True
    )
    seconds = time.monotonic() - began
    if ended.returncode != 0:
        raise RuntimeError(ended.stdout + ended.stderr)
    return Measured(seconds, int(ended.stderr.rpartition("peak ")[2]) * 1024)
