"""What `make lint` says of advisories. pip-audit is a FAKE here, which answers as it was told."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ROOT

CLEAN = {"name": "a", "version": "1", "vulns": []}
SKIPPED = {"name": "b", "skip_reason": "Dependency not found on PyPI and could not be audited: b (1)"}
WITH_ADVISORY = {"name": "c", "version": "1", "vulns": [{"id": "PYSEC-2026-1", "fix_versions": ["2"]}]}


def audited(folder: Path, answer: str, **environment: str) -> tuple[int, str]:
    program = folder / "pip-audit"
    program.write_text(f"#!{sys.executable}\nprint({answer!r})\n")
    program.chmod(0o755)
    command = [sys.executable, str(ROOT / ".ci" / "audit.py")]
    variables = {**os.environ, "ODAHU_ARGO_REQUIRE": "", "PIP_AUDIT": str(program), **environment}
    ended = subprocess.run(command, env=variables, capture_output=True, text=True)
    return ended.returncode, ended.stdout + ended.stderr


def report(*dependencies: dict[str, Any]) -> str:
    return json.dumps({"dependencies": dependencies, "fixes": []})


def test_all_looked_up_and_clean(tmp_path: Path) -> None:
    code, said = audited(tmp_path, report(CLEAN))
    assert code == 0
    assert "NOT DONE" not in said


def test_an_advisory_is_an_error_that_names_package_and_remedy(tmp_path: Path) -> None:
    code, said = audited(tmp_path, report(CLEAN, WITH_ADVISORY))
    assert code == 1
    assert "audit: c 1: PYSEC-2026-1, fixed in 2" in said


@pytest.mark.parametrize("answer", [report(SKIPPED), report(CLEAN, SKIPPED), "Connection refused", "{}"])
def test_a_service_that_knows_nothing_is_never_a_silent_pass(tmp_path: Path, answer: str) -> None:
    code, said = audited(tmp_path, answer)
    assert (code, "NOT DONE" in said) == (0, True)
    assert audited(tmp_path, answer, ODAHU_ARGO_REQUIRE="cluster,advisories")[0] == 1
