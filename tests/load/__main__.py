"""Load test of `odahu-argo server`: requests per second, latency and memory at several numbers of trainings.

Run it with `make load`. With `--runs`, local trainings run meanwhile; each must succeed. With `--cluster`, the trainings
are finished Workflows on the Kubernetes API of `KUBECONFIG`, which needs Argo's CRDs. With `--memory`, the first path is
requested for some time more, and the memory is printed every 30 seconds.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import re
import sys
import tempfile
from pathlib import Path
from time import perf_counter

import psutil

from odahu_argo.local.home import Home
from tests.load.client import Measurement, measure
from tests.load.runs import run_trainings
from tests.load.store import fill_store

TOKEN = "load-test-0123456789abcdef"
PATHS = ("/", "/?state=failed&page=2", "/page/trainings?page=50", "/api/v1/model/training?size=50")
HEADER = f"{'trainings':>9}  {'path':<32}{'requests/s':>11}{'p50 ms':>9}{'p99 ms':>9}{'errors':>8}{'MiB':>6}"


def main() -> int:
    options = _parse_options()
    print(HEADER, flush=True)
    measure_count = _measure_on_cluster if options.cluster else _measure_local
    return 1 if sum(measure_count(count, options) for count in options.trainings) else 0


def _measure_local(count: int, options: argparse.Namespace) -> int:
    with tempfile.TemporaryDirectory(prefix="odahu-argo-load-") as folder:
        home = fill_store(Path(folder) / "home", count)
        return asyncio.run(_measure_server(Path(folder), count, options, ("--local",), home))


def _measure_on_cluster(count: int, options: argparse.Namespace) -> int:
    from tests.bench.workflows import namespace_of_trainings

    with tempfile.TemporaryDirectory(prefix="odahu-argo-load-") as folder, namespace_of_trainings(count) as namespace:
        return asyncio.run(_measure_server(Path(folder), count, options, ("-n", namespace)))


def _parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.load", description=__doc__)
    add = parser.add_argument
    add("--trainings", type=int, nargs="+", default=[10, 1_000, 10_000], help="numbers of stored trainings")
    add("--connections", type=int, default=8, help="clients that send one request after another")
    add("--seconds", type=float, default=10, help="duration of each measurement")
    add("--paths", nargs="+", default=PATHS, help="paths to request")
    add("--runs", type=int, default=0, help="local trainings that run during the last measurement")
    add("--cluster", action="store_true", help="measure a server on the cluster of KUBECONFIG")
    add("--memory", type=float, default=0, metavar="SECONDS", help="observe the memory under load for this time")
    return parser.parse_args()


async def _measure_server(
    folder: Path, count: int, options: argparse.Namespace, where: tuple[str, ...], home: Home | None = None
) -> int:
    """Print a line for each path, and return the number of failed requests and runs."""
    token = folder / "token"
    token.write_text(TOKEN, encoding="utf-8")
    arguments = ("-m", "odahu_argo", "server", *where, "--port", "0", "--token-file", str(token))
    environment = os.environ | (home.environment if home else {})
    process = await asyncio.create_subprocess_exec(
        sys.executable, *arguments, stderr=asyncio.subprocess.PIPE, env=environment
    )
    try:
        assert process.stderr is not None
        line = (await process.stderr.readline()).decode()
        address = re.match(r"listening on http://([^:/]+):(\d+)/", line)
        assert address, line + (await process.stderr.read()).decode()
        server = psutil.Process(process.pid)
        start = perf_counter()
        first = await measure(address[1], int(address[2]), options.paths[0], TOKEN, 1, 0)
        print(f"first list after {perf_counter() - start:.1f} s, {first.errors} errors", flush=True)
        failures = 0
        for path in options.paths:
            load = measure(address[1], int(address[2]), path, TOKEN, options.connections, options.seconds)
            if home and options.runs and path == options.paths[-1]:
                result, failed_runs = await asyncio.gather(load, run_trainings(home, folder, options.runs))
                print(f"{len(failed_runs)} of {options.runs} local trainings failed", *failed_runs, sep="\n")
                failures += len(failed_runs)
            else:
                result = await load
            failures += result.errors
            print(_format_row(count, path, result, server.memory_info().rss), flush=True)
        end = perf_counter() + options.memory
        while perf_counter() < end:
            await measure(address[1], int(address[2]), options.paths[0], TOKEN, options.connections, 30)
            print(f"memory {server.memory_info().rss / 2**20:.0f} MiB", flush=True)
        return failures
    finally:
        process.terminate()
        await process.communicate()


def _format_row(count: int, path: str, result: Measurement, memory: int) -> str:
    return (
        f"{count:>9,}  {path:<32}{result.requests_per_second:>11.1f}{result.percentile(50):>9.1f}"
        f"{result.percentile(99):>9.1f}{result.errors:>8}{memory / 2**20:>6.0f}"
    )


if __name__ == "__main__":
    sys.exit(main())
