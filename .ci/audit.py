"""Holds the pinned packages against the advisories of PyPI, by pip-audit, and says so where that could not be done.

pip-audit itself ends well, with "No known vulnerabilities found", when the service knows nothing of any package, as mirrors
of PyPI do. Ends with 1 for a package with an advisory and, where ODAHU_ARGO_REQUIRE names `advisories`, for one that was not
looked up.
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
    """What was found of each package of the file; empty where the service cannot be reached."""
    ended = subprocess.run([*AUDIT, *OPTIONS, str(file)], capture_output=True, text=True, check=False)
    try:
        return list(json.loads(ended.stdout)["dependencies"])
    except (ValueError, KeyError):
        return []


def main() -> int:
    """Look one package up first, so that a network without advisories costs a second and not one for each package."""
    lines = [line for line in PINNED.read_text(encoding="utf-8").splitlines() if line.strip()]
    with tempfile.TemporaryDirectory() as folder:
        probe = Path(folder) / "probe.txt"
        probe.write_text(lines[0] + "\n", encoding="utf-8")
        found = audit(PINNED) if any("vulns" in each for each in audit(probe)) else []
    known = [each for each in found if "vulns" in each]
    advisories = [(each, advisory) for each in known for advisory in each["vulns"]]
    for each, advisory in advisories:
        fixed = ", ".join(advisory.get("fix_versions", [])) or "no version yet"
        print(f"audit: {each['name']} {each['version']}: {advisory['id']}, mended in {fixed}")
    print(f"audit: {len(known)} of {len(lines)} pinned packages looked up, {len(advisories)} advisories")
    if len(known) < len(found) or not known:
        print("audit: NOT DONE for the others: the advisories of PyPI cannot be reached from here", file=sys.stderr)
        if "advisories" in os.environ.get("ODAHU_ARGO_REQUIRE", "").split(","):
            return 1
    return 1 if advisories else 0


sys.exit(main())
