"""Workflows recorded from a real controller: tests/data/argo-recordings."""

from __future__ import annotations

import json
from typing import Any

from tests.conftest import ROOT

FOLDER = ROOT / "tests" / "data" / "argo-recordings"
NAMES = sorted(file.stem for file in FOLDER.glob("*.json"))


def recording(name: str) -> dict[str, Any]:
    return json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
