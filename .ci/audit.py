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
    ended = subprocess.run([*AUDIT, *OPTIONS, str(file)], capture_output=True, text=True, check=False)
    try:
        return list(json.loads(ended.stdout)["dependencies"])
    except (ValueError, KeyError):
        return []


def main() -> int:
    """Check one package first, so that a network without advisories costs one second instead of one per package."""
    lines = [line for line in PINNED.read_text(encoding="utf-8").splitlines() if line.strip()]
    with tempfile.TemporaryDirectory() as folder:
        probe = Path(folder) / "probe.txt"
        probe.write_text(lines[0] + "\n", encoding="utf-8")
        found = audit(PINNED) if any("vulns" in each for each in audit(probe)) else []
    known = [each for each in found if "vulns" in each]
    advisories = [(each, advisory) for each in known for advisory in each["vulns"]]
    for each, advisory in advisories:
        fixed = ", ".join(advisory.get("fix_versions", [])) or "no version yet"
        print(f"audit: {each['name']} {each['version']}: {advisory['id']}, fixed in {fixed}")
    print(f"audit: {len(known)} of {len(lines)} pinned packages checked, {len(advisories)} advisories")
    if len(known) < len(found) or not known:
        print("audit: NOT DONE for the others: PyPI's advisories cannot be reached", file=sys.stderr)
        if "advisories" in os.environ.get("ODAHU_ARGO_REQUIRE", "").split(","):
            return 1
    return 1 if advisories else 0


sys.exit(main())
