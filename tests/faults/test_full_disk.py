"""A full disk as the target of the archive."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from odahu_argo.contract import RUN_ID
from tests.archives import read_tar
from tests.servers.disk import SIZE
from tests.servers.mlflow_project import PACKAGE
from tests.servers.step_runner import StepRunner

STEP = replace(PACKAGE, trainer="mlflow-project", toolchain="mlflow-project")


def write_output(step: StepRunner, size: int) -> bytes:
    """Write the output of a training: one file of random bytes, which cannot be compressed."""
    content = os.urandom(size)
    step.workspace.output.mkdir(parents=True)
    (step.workspace.output / "weights.bin").write_bytes(content)
    step.workspace.write_result(RUN_ID, "r1")
    return content


def test_full_disk_of_output_connection(step_runner: StepRunner, small_disk: Path) -> None:
    content = write_output(step_runner, SIZE // 2)
    ballast = small_disk / "ballast"
    ballast.write_bytes(bytes(SIZE - SIZE // 4))
    step_runner.connect("out", {"type": "file", "uri": small_disk.as_uri()})
    full = step_runner.run_process(STEP)
    assert full.code == 3, full.log
    assert "the disk is full: " in full.message
    assert list(small_disk.iterdir()) == [ballast]
    ballast.unlink()
    assert step_runner.run_process(STEP).code == 0
    [archive] = small_disk.iterdir()
    assert read_tar(archive)["weights.bin"] == content
