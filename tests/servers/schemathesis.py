"""schemathesis generates requests from the OpenAPI document and validates the responses."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

CONFIG = Path(__file__).with_suffix(".toml")


def require_conformance(address: str, token: str, folder: Path, operations: int, *options: object) -> None:
    """Check `operations` operations: responses match the document, none is a 500, and all require the token."""
    command = [str(Path(sys.executable).with_name("schemathesis")), "--config-file", str(CONFIG), "run"]
    command += [f"{address}/openapi.json", "--header", f"Authorization: Bearer {token}", "--seed", "1"]
    command += ["--continue-on-failure", "--warnings", "off", "--no-color", *map(str, options)]
    result = subprocess.run(command, capture_output=True, text=True, cwd=folder, timeout=240)
    assert result.returncode == 0, result.stdout + result.stderr
    assert re.search(rf"Tested: +{operations}\b", result.stdout), result.stdout
