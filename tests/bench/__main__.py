"""Run benchmark rows, and update docs/benchmarks.md and its plot after each of them: `make bench [ROWS=compile,size]`."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from tests.bench import plot, report
from tests.bench.bench import Bench
from tests.bench.growth import grow
from tests.bench.peers import BUILD
from tests.bench.rows import GROWTH, ROWS

_LARGE = 2**20


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--rows", default="", help=f"comma-separated rows: {', '.join([*ROWS, GROWTH])}; all by default"
    )
    parser.add_argument("--toy", action="store_true", help="run each row once with tiny data; write nothing")
    options = parser.parse_args()
    wanted = list(dict.fromkeys(key for key in options.rows.split(",") if key)) or [*ROWS, GROWTH]
    if unknown := [key for key in wanted if key not in ROWS and key != GROWTH]:
        parser.error(f"no such row: {', '.join(unknown)}; known rows: {', '.join([*ROWS, GROWTH])}")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # stop servers and delete namespaces
    BUILD.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="work-", dir=BUILD, ignore_cleanup_errors=True) as folder:
        failed = run_rows(wanted, Path(folder), options.toy)
    if failed:
        _log(f"not measured: {', '.join(failed)}; docs/benchmarks.md keeps their earlier results")
    return 1 if failed else 0


def run_rows(wanted: Sequence[str], work: Path, toy: bool) -> list[str]:
    """Run these rows and return the keys that failed.

    Small files are kept, because ext4 creates files slowly after many were deleted.
    """
    failed = []
    for number, key in enumerate(wanted, 1):
        start = time.monotonic()
        _log(f"[{number}/{len(wanted)}] {key}")
        try:
            run_row(key, work / key, toy)
        except Exception as error:
            failed.append(key)
            _log(f"  {key} failed: {type(error).__name__}: {error}")
            if toy:
                raise
        _log(f"  {time.monotonic() - start:.0f} s")
    return failed


def run_row(key: str, folder: Path, toy: bool) -> None:
    """Run one row in a new directory, and store its result."""
    folder.mkdir()
    try:
        result = (grow if key == GROWTH else ROWS[key])(Bench(folder, _log, toy))
    finally:
        for file in folder.rglob("*"):
            if file.is_file() and not file.is_symlink() and file.stat().st_size > _LARGE:
                file.unlink()
    if toy:
        return
    data = report.keep(result, key, machine())
    plot.draw(report.rows(data, list(ROWS)), report.growth(data))
    report.write(data, list(ROWS))


def machine() -> str:
    [total] = [
        line.split()[1] for line in Path("/proc/meminfo").read_text().splitlines() if line.startswith("MemTotal")
    ]
    return f"{os.cpu_count()} cores, {int(total) / 2**20:.0f} GiB"


def _log(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    sys.exit(main())
