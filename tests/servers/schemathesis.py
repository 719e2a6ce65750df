"""schemathesis: requests of all kinds made from the OpenAPI document, and answers held against it."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

CONFIG = Path(__file__).with_suffix(".toml")


def require_conformance(address: str, token: str, folder: Path, operations: int, *options: object) -> None:
    """No answer of so many operations is a 500 or another than the document says, and none is given without the token."""
    command = [str(Path(sys.executable).with_name("schemathesis")), "--config-file", str(CONFIG), "run"]
    command += [f"{address}/openapi.json", "--header", f"Authorization: Bearer {token}", "--seed", "1"]
    command += ["--continue-on-failure", "--warnings", "off", "--no-color", *map(str, options)]
    ran = subprocess.run(command, capture_output=True, text=True, cwd=folder, timeout=240)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert re.search(rf"Tested: +{operations}\b", ran.stdout), ran.stdout
