"""Send SIGTERM to downloads under load, each at a random moment: `python -m tests.faults.sigterm --count 500`.

A real S3 server (rclone) serves many small objects. Several downloads run at a time, beside programs that only use CPU.
Needs Linux: a download is signalled from the moment on at which `/proc` shows that it handles SIGTERM.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from shutil import rmtree

from odahu_argo.contract import DownloadSpec, Workspace
from tests.servers.s3 import Bucket, lasting_s3
from tests.servers.step_runner import StepRunner

OBJECTS = 3000
OBJECT_SIZE = 10_000
PARALLEL = 6
HANG = 30.0
"""Seconds after SIGTERM, the default grace period of Kubernetes; a download that runs longer would be killed."""
SPEC = DownloadSpec("data", "in/")


@dataclass(frozen=True)
class StoppedDownload:
    """How one download ended after SIGTERM; `exit_code` is None if it had to be killed."""

    exit_code: int | None
    seconds: float
    files: int
    partial_files: int
    log: str


@dataclass
class SigtermResults:
    stopped: list[StoppedDownload] = field(default_factory=list)
    completed: int = 0
    """Downloads that had ended before the signal; they are repeated."""

    @property
    def hangs(self) -> int:
        return sum(1 for download in self.stopped if download.exit_code is None)

    @property
    def exit_codes(self) -> Counter[int | None]:
        return Counter(download.exit_code for download in self.stopped)

    @property
    def slowest(self) -> float:
        return max(download.seconds for download in self.stopped)

    def __str__(self) -> str:
        codes = ", ".join(f"exit code {code}: {count}" for code, count in sorted(self.exit_codes.items(), key=str))
        seconds = sorted(download.seconds for download in self.stopped)
        return (
            f"{len(self.stopped)} downloads stopped: {self.hangs} hangs; {codes}; "
            f"median {seconds[len(seconds) // 2]:.2f} s, slowest {seconds[-1]:.2f} s after SIGTERM; "
            f"{sum(download.partial_files for download in self.stopped)} partial files left; "
            f"{sum(1 for download in self.stopped if download.files)} had copied files; "
            f"{self.completed} completed before the signal"
        )


def stop_downloads(count: int, folder: Path, seed: int = 0) -> SigtermResults:
    """Stop `count` downloads, each after a random part of the time that a complete one takes."""
    moments = random.Random(seed)
    results = SigtermResults()
    with lasting_s3(folder / "objects") as (bucket, _), _cpu_load(), ThreadPoolExecutor(PARALLEL) as pool:
        for number in range(OBJECTS):
            file = folder / "objects" / bucket.name / f"data/{number % 20}/{number}.bin"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(os.urandom(OBJECT_SIZE))
        duration = _complete_download(bucket, folder)
        while missing := count - len(results.stopped):
            delays = [moments.uniform(0, duration) for _ in range(missing)]
            for download in pool.map(lambda delay: _stop_download(bucket, folder, delay), delays):
                if download is None:
                    results.completed += 1
                else:
                    results.stopped.append(download)
    return results


def _complete_download(bucket: Bucket, folder: Path) -> float:
    """Return the seconds that a download takes while it handles SIGTERM."""
    with _started(bucket, folder) as (process, _):
        _wait_for_handler(process)
        started = time.monotonic()
        output, _ = process.communicate(timeout=300)
        assert process.returncode == 0, output
        return time.monotonic() - started


def _stop_download(bucket: Bucket, folder: Path, delay: float) -> StoppedDownload | None:
    with _started(bucket, folder) as (process, repository):
        _wait_for_handler(process)
        time.sleep(delay)
        process.send_signal(signal.SIGTERM)
        started = time.monotonic()
        try:
            output, _ = process.communicate(timeout=HANG)
        except subprocess.TimeoutExpired:
            process.kill()
            output, _ = process.communicate()
            return StoppedDownload(None, HANG, 0, 0, output)
        seconds = time.monotonic() - started
        if "download: done: " in output:  # an interpreter that shuts down no longer handles SIGTERM
            return None
        files = [file.name for file in repository.rglob("*") if file.is_file()]
        partial = sum(1 for name in files if name.endswith(".partial"))
        return StoppedDownload(process.returncode, seconds, len(files) - partial, partial, output)


@contextmanager
def _started(bucket: Bucket, folder: Path) -> Iterator[tuple[subprocess.Popen[str], Path]]:
    """A running download in a new workspace, which is removed afterwards."""
    root = Path(tempfile.mkdtemp(dir=folder))
    step = StepRunner(Workspace(root / "workspace", root / "connections", root / "message"))
    step.repository.mkdir(parents=True)
    step.connect("data", bucket.fields("data/"))
    process = subprocess.Popen(
        step.command(SPEC),
        env=step.environment(SPEC),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        yield process, step.repository
    finally:
        process.kill()
        process.communicate()
        rmtree(root)


def _wait_for_handler(process: subprocess.Popen[str]) -> None:
    until = time.monotonic() + 60
    while not _handles_sigterm(process.pid):
        assert process.poll() is None and time.monotonic() < until
        time.sleep(0.002)


def _handles_sigterm(pid: int) -> bool:
    status = Path(f"/proc/{pid}/status").read_text()
    caught = int(status.partition("SigCgt:")[2].split()[0], 16)
    return bool(caught >> (signal.SIGTERM - 1) & 1)


@contextmanager
def _cpu_load() -> Iterator[None]:
    """Keep all cores busy."""
    programs = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(os.cpu_count() or 1)]
    try:
        yield
    finally:
        for program in programs:
            program.kill()
            program.wait()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition(":")[0])
    parser.add_argument("--count", type=int, default=500, help="number of downloads")
    parser.add_argument("--seed", type=int, default=0, help="seed of the random moments")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="odahu-argo-sigterm-") as folder:
        results = stop_downloads(arguments.count, Path(folder), arguments.seed)
    print(results)
    failures = [download for download in results.stopped if download.exit_code != 143]
    for download in failures[:5]:
        print(f"exit code {download.exit_code} after {download.seconds:.1f} s:\n{download.log}")
    sys.exit(bool(failures))


if __name__ == "__main__":
    main()
