"""`make bench [ROWS=compile,size]`: run the rows, and write docs/benchmarks.md and its plot after each of them."""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import sys
import time
from pathlib import Path

from tests.bench import plot, report
from tests.bench.bench import Bench
from tests.bench.growth import grow
from tests.bench.peers import BUILD
from tests.bench.rows import GROWTH, ROWS

_WORK = BUILD / "work" / str(os.getpid())
_LARGE = 2**20


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", default="", help=f"which, with commas: {', '.join([*ROWS, GROWTH])}; all by default")
    parser.add_argument("--toy", action="store_true", help="tiny and once, to see that it runs; nothing is written")
    options = parser.parse_args()
    wanted = [key for key in options.rows.split(",") if key] or [*ROWS, GROWTH]
    if unknown := [key for key in wanted if key not in ROWS and key != GROWTH]:
        parser.error(f"no such row: {', '.join(unknown)}; there are {', '.join([*ROWS, GROWTH])}")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that servers and namespaces go, too
    failed = []
    for number, key in enumerate(wanted, 1):
        began = time.monotonic()
        _tell(f"[{number}/{len(wanted)}] {key}")
        try:
            one(key, options.toy)
        except Exception as error:
            failed.append(key)
            _tell(f"  {key} failed: {type(error).__name__}: {error}")
            if options.toy:
                raise
        _tell(f"  {time.monotonic() - began:.0f} s")
    shutil.rmtree(_WORK, ignore_errors=True)
    if failed:
        _tell(f"not measured: {', '.join(failed)}; what docs/benchmarks.md says of them is older")
    return 1 if failed else 0


def one(key: str, toy: bool = False) -> None:
    """Run one row, and write down what it found.

    Small files are left to the end of all: ext4 is slow to make files in the minute after many were deleted.
    """
    folder = _WORK / key
    folder.mkdir(parents=True)
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
