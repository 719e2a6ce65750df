"""`odahu-argo server` as a process of its own."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager


@contextmanager
def serving(*arguments: object, **environment: str) -> Iterator[str]:
    """The address of a server with these arguments, on a free port."""
    command = [sys.executable, "-m", "odahu_argo", "server", "--port", "0", *map(str, arguments)]
    surroundings: Mapping[str, str] = {**os.environ, **environment}
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=surroundings)
    try:
        assert process.stderr is not None
        told = process.stderr.readline()
        found = re.match(r"listening on (http://[^/]+)/", told)
        assert found, told + process.stderr.read()
        yield found[1]
    finally:
        process.terminate()
        process.communicate(timeout=30)
