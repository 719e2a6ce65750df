"""`make bench [ROWS=compile,size]`: run the rows, and write docs/benchmarks.md and its plot after each of them."""

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
    parser.add_argument("--rows", default="", help=f"which, with commas: {', '.join([*ROWS, GROWTH])}; all by default")
    parser.add_argument("--toy", action="store_true", help="tiny and once, to see that it runs; nothing is written")
    options = parser.parse_args()
    wanted = list(dict.fromkeys(key for key in options.rows.split(",") if key)) or [*ROWS, GROWTH]
    if unknown := [key for key in wanted if key not in ROWS and key != GROWTH]:
        parser.error(f"no such row: {', '.join(unknown)}; there are {', '.join([*ROWS, GROWTH])}")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # stop servers and delete namespaces
    BUILD.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="work-", dir=BUILD, ignore_cleanup_errors=True) as folder:
        failed = all_of(wanted, Path(folder), options.toy)
    if failed:
        _tell(f"not measured: {', '.join(failed)}; what docs/benchmarks.md says of them is older")
    return 1 if failed else 0


def all_of(wanted: Sequence[str], work: Path, toy: bool) -> list[str]:
    """Run these rows; those that failed. Small files stay in the folder: ext4 is slow to make files in the minute after
    many were deleted."""
    failed = []
    for number, key in enumerate(wanted, 1):
        began = time.monotonic()
        _tell(f"[{number}/{len(wanted)}] {key}")
        try:
            one(key, work / key, toy)
        except Exception as error:
            failed.append(key)
            _tell(f"  {key} failed: {type(error).__name__}: {error}")
            if toy:
                raise
        _tell(f"  {time.monotonic() - began:.0f} s")
    return failed


def one(key: str, folder: Path, toy: bool) -> None:
    """Run one row in a new folder, and write down what it found."""
    folder.mkdir()
    try:
        found = (grow if key == GROWTH else ROWS[key])(Bench(folder, _tell, toy))
    finally:
        for file in folder.rglob("*"):
            if file.is_file() and not file.is_symlink() and file.stat().st_size > _LARGE:
                file.unlink()
    if toy:
        return
    data = report.keep(found, key, machine())
    plot.draw(report.rows(data, list(ROWS)), report.growth(data))
    report.write(data, list(ROWS))


def machine() -> str:
    [total] = [
        line.split()[1] for line in Path("/proc/meminfo").read_text().splitlines() if line.startswith("MemTotal")
    ]
    return f"{os.cpu_count()} cores, {int(total) / 2**20:.0f} GiB"


def _tell(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    sys.exit(main())
