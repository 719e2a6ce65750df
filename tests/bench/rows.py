"""All rows, in the order of the table."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from tests.bench import rows_compile, rows_local, rows_objects, rows_package, rows_start, rows_status
from tests.bench.bench import Bench
from tests.bench.figures import Bar, Row

GROWTH = "growth"
_S5CMD = Bar("at least as fast as s5cmd", 1.0, rival="s5cmd")
_FASTEST = Bar("faster than all peers", 1.0)
ROWS: Mapping[str, Callable[[Bench], Row]] = {
    "compile": rows_compile.compile_one,
    "thousand": rows_compile.compile_many,
    "size": rows_compile.size,
    "help": rows_start.help_text,
    "get": rows_start.get,
    "s3-rclone-small": partial(rows_objects.download_small, "s3-rclone", _S5CMD),
    "s3-versitygw-small": partial(rows_objects.download_small, "s3-versitygw", _S5CMD),
    "s3-rclone-large": partial(rows_objects.download_large, "s3-rclone", Bar("faster than boto3", 1.0, rival="boto3")),
    "s3-versitygw-large": partial(
        rows_objects.download_large, "s3-versitygw", Bar("at most 1.2 times s5cmd's time", 1.2, rival="s5cmd")
    ),
    "azure-small": partial(rows_objects.download_small, "azure", _FASTEST),
    "azure-large": partial(rows_objects.download_large, "azure", _FASTEST),
    "upload": rows_objects.upload,
    "package": rows_package.package,
    "status": rows_status.status,
    "local": rows_local.local,
}
