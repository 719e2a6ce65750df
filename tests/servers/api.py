"""`odahu-argo server` as a process."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager


@contextmanager
def serving(*arguments: object, **environment: str) -> Iterator[str]:
    """Run a server with these arguments on a free port, and yield its address."""
    command = [sys.executable, "-m", "odahu_argo", "server", "--port", "0", *map(str, arguments)]
    variables: Mapping[str, str] = {**os.environ, **environment}
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=variables)
    try:
        assert process.stderr is not None
        line = process.stderr.readline()
        match = re.match(r"listening on (http://[^/]+)/", line)
        assert match, line + process.stderr.read()
        yield match[1]
    finally:
        process.terminate()
        process.communicate(timeout=30)
