"""The advisory check of `make lint`, with a fake pip-audit that prints a prepared report."""

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
VULNERABLE = {"name": "c", "version": "1", "vulns": [{"id": "PYSEC-2026-1", "fix_versions": ["2"]}]}


def run_audit(directory: Path, pip_audit_output: str, **variables: str) -> tuple[int, str]:
    """Run the check with a pip-audit that prints this output; return its exit code and output."""
    pip_audit = directory / "pip-audit"
    pip_audit.write_text(f"#!{sys.executable}\nprint({pip_audit_output!r})\n")
    pip_audit.chmod(0o755)
    command = [sys.executable, str(ROOT / ".ci" / "audit.py")]
    environment = {**os.environ, "ODAHU_ARGO_REQUIRE": "", "PIP_AUDIT": str(pip_audit), **variables}
    result = subprocess.run(command, env=environment, capture_output=True, text=True)
    return result.returncode, result.stdout + result.stderr


def report(*dependencies: dict[str, Any]) -> str:
    return json.dumps({"dependencies": dependencies, "fixes": []})


def test_succeeds_without_advisories(tmp_path: Path) -> None:
    exit_code, output = run_audit(tmp_path, report(CLEAN))
    assert exit_code == 0
    assert "NOT DONE" not in output


def test_fails_on_an_advisory_with_package_and_fixed_version(tmp_path: Path) -> None:
    exit_code, output = run_audit(tmp_path, report(CLEAN, VULNERABLE))
    assert exit_code == 1
    assert "audit: c 1: PYSEC-2026-1, fixed in 2" in output


@pytest.mark.parametrize("pip_audit_output", [report(SKIPPED), report(CLEAN, SKIPPED), "Connection refused", "{}"])
def test_reports_unchecked_packages_and_fails_if_advisories_are_required(tmp_path: Path, pip_audit_output: str) -> None:
    exit_code, output = run_audit(tmp_path, pip_audit_output)
    assert exit_code == 0
    assert "NOT DONE" in output
    exit_code, _ = run_audit(tmp_path, pip_audit_output, ODAHU_ARGO_REQUIRE="cluster,advisories")
    assert exit_code == 1
