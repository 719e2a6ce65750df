"""All rows, in the order of the table."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from tests.bench import rows_compile, rows_local, rows_objects, rows_package, rows_start, rows_status
from tests.bench.bench import Bench
from tests.bench.figures import Row

GROWTH = "growth"
ROWS: Mapping[str, Callable[[Bench], Row]] = {
    "compile": rows_compile.compile_one,
    "thousand": rows_compile.compile_many,
    "size": rows_compile.size,
    "help": rows_start.help_text,
    "get": rows_start.get,
    **{
        f"{store}-{load}": partial(rows_objects.of, store, load == "large")
        for store in ("s3", "azure")
        for load in ("small", "large")
    },
    "package": rows_package.package,
    "status": rows_status.status,
    "local": rows_local.local,
}
