"""Check the pinned packages against PyPI's advisories with pip-audit, and report if that was not possible.

pip-audit itself reports success if the service knows no package, as with mirrors of PyPI. Exits with 1 if a package has an
advisory, or if ODAHU_ARGO_REQUIRE contains `advisories` and a package could not be checked.
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

PINNED = Path(__file__).resolve().parent.parent / "constraints.txt"
AUDIT = shlex.split(os.environ.get("PIP_AUDIT", f"{shlex.quote(sys.executable)} -m pip_audit"))
OPTIONS = ("--no-deps", "--disable-pip", "--progress-spinner", "off", "--timeout", "10", "-f", "json", "-r")


def audit(file: Path) -> list[dict[str, Any]]:
    """Return pip-audit's result for each package in the file; empty if the service cannot be reached."""
    result = subprocess.run([*AUDIT, *OPTIONS, str(file)], capture_output=True, text=True, check=False)
    try:
        return list(json.loads(result.stdout)["dependencies"])
    except (ValueError, KeyError):
        return []


def main() -> int:
    """Check one package first, so that a network without advisories costs one second instead of one per package."""
    lines = [line for line in PINNED.read_text(encoding="utf-8").splitlines() if line.strip()]
    with tempfile.TemporaryDirectory() as folder:
        probe = Path(folder) / "probe.txt"
        probe.write_text(lines[0] + "\n", encoding="utf-8")
        packages = audit(PINNED) if any("vulns" in package for package in audit(probe)) else []
    checked = [package for package in packages if "vulns" in package]
    advisories = [(package, advisory) for package in checked for advisory in package["vulns"]]
    for package, advisory in advisories:
        fixed = ", ".join(advisory.get("fix_versions", [])) or "no version yet"
        print(f"audit: {package['name']} {package['version']}: {advisory['id']}, fixed in {fixed}")
    print(f"audit: {len(checked)} of {len(lines)} pinned packages checked, {len(advisories)} advisories")
    if len(checked) < len(packages) or not checked:
        print("audit: NOT DONE for the others: PyPI's advisories cannot be reached", file=sys.stderr)
        if "advisories" in os.environ.get("ODAHU_ARGO_REQUIRE", "").split(","):
            return 1
    return 1 if advisories else 0


sys.exit(main())
