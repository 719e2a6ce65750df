"""Time of compile, status and download for 10, 100, 1,000 and 10,000 items: median of three runs, one run from 1,000 on."""

from __future__ import annotations

from collections.abc import Callable
from statistics import median

from odahu_argo import connect
from tests.bench import manifests
from tests.bench.bench import Bench
from tests.bench.figures import Growth
from tests.bench.measure import Contender, run
from tests.bench.rows_compile import ours_of
from tests.bench.rows_objects import SMALL, Load, ours
from tests.bench.rows_status import train_get
from tests.bench.workflows import fill, namespace_of_trainings
from tests.servers.s3 import lasting_s3

SIZES = (10, 100, 1_000, 10_000)


def grow(bench: Bench) -> list[Growth]:
    sizes = (2, 4) if bench.toy else SIZES
    return [_compile(bench, sizes), _download(bench, sizes), _status(bench, sizes)]


def _compile(bench: Bench, sizes: tuple[int, ...]) -> Growth:
    def contender(size: int) -> Contender:
        folder = bench.new(f"compile-{size}")
        return ours_of(folder, manifests.write(folder, size), size)

    return _measured(bench, "compile N manifests", sizes, contender)


def _download(bench: Bench, sizes: tuple[int, ...]) -> Growth:
    def contender(size: int) -> Contender:
        load = Load(size, SMALL)
        bucket.client.create_bucket(Bucket=f"of-{size}")
        filled = type(bucket)(bucket.endpoint, f"of-{size}")
        load.put(filled, bench.folder)
        return ours(bench.folder / f"step-{size}", filled.fields(), load)

    with lasting_s3(bench.folder / "server") as (bucket, _):
        return _measured(bench, "download N objects of 10 kB", sizes, contender)


def _status(bench: Bench, sizes: tuple[int, ...]) -> Growth:
    """Use one namespace that grows."""
    there = 0

    def contender(size: int) -> Contender:
        nonlocal there
        fill(connect(namespace), range(there, size))
        there = size
        return train_get(bench, namespace, size)

    with namespace_of_trainings(0) as namespace:
        return _measured(bench, "`train get` of N trainings", sizes, contender)


def _measured(bench: Bench, what: str, sizes: tuple[int, ...], contender: Callable[[int], Contender]) -> Growth:
    seconds = {}
    for size in sizes:
        made = contender(size)
        runs = [run(made) for _ in range(1 if size >= 1_000 else 3)]
        seconds[str(size)] = median(each.wall for each in runs)
        bench.tell(f"  {what}, {size:,}: {seconds[str(size)]:.2f} s, {max(each.peak for each in runs) >> 20} MiB")
    return Growth(what, seconds)
