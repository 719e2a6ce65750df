"""The command line as a user has it: a process of its own."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass


@dataclass(frozen=True)
class Ran:
    code: int
    out: str
    err: str


def odahu_argo(*arguments: object, stdin: str | None = None, **options: object) -> Ran:
    command = [sys.executable, "-m", "odahu_argo", *map(str, arguments)]
    ended = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", input=stdin, **options)
    return Ran(ended.returncode, ended.stdout, ended.stderr)
