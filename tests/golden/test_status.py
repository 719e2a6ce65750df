"""Golden file of the status of every recording and synthetic situation. `make goldens` updates it; review the changes."""

from __future__ import annotations

import pytest

from odahu_argo.status.model import Status
from odahu_argo.status.state import read_status
from tests.conftest import ROOT
from tests.unit.status.recordings import NAMES, recording
from tests.unit.status.variants import SITUATIONS

GOLDEN = ROOT / "tests" / "golden" / "status.txt"


def describe(name: str, status: Status) -> str:
    head = " ".join(filter(None, [f"{name}: {status.state}", f"({status.reason})" if status.reason else ""]))
    code = "" if status.exit_code is None else f"exit code {status.exit_code}"
    details = ", ".join(filter(None, [status.step and f"step {status.step}", code]))
    lines = [head + (f"; {details}" if details else ""), *status.message.splitlines()]
    return "\n  ".join([*lines, *(f"hint: {line}" for line in status.hint.splitlines())])


def test_statuses_match_golden_file(request: pytest.FixtureRequest) -> None:
    workflows = {
        **{name: recording(name) for name in NAMES},
        **{f"synthetic: {name}": workflow for name, workflow in SITUATIONS.items()},
    }
    text = "\n\n".join(describe(name, read_status(workflow)) for name, workflow in workflows.items()) + "\n"
    if request.config.getoption("--update-goldens"):
        GOLDEN.write_text(text, encoding="utf-8")
    assert text == GOLDEN.read_text(encoding="utf-8")
